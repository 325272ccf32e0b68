/** The formulas of src/checkpoint/formats/description.ts in plain operators: what a description has to be complete for. */
import type { Normalization, SaeDescription } from '#src/checkpoint/formats/index.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { ops, type Tensor } from '#src/torch/index.js';

function normalized(h: Tensor, normalization: Normalization, named: (name: string) => Tensor): { x: Tensor; undo: (r: Tensor) => Tensor } {
  const d = h.shape.at(-1)!;
  switch (normalization.kind) {
    case 'none': return { x: h, undo: (r) => r };
    case 'scale': return { x: h.mul(normalization.factor), undo: (r) => r.div(normalization.factor) };
    case 'average-norm': {
      const average = named(normalization.tensor).item();
      return { x: h.mul(Math.sqrt(d) / average), undo: (r) => r.mul(average / Math.sqrt(d)) };
    }
    case 'token-norm': {
      const factor = ops.linalg_vector_norm(h, 2, [-1], { keepdim: true }).div(Math.sqrt(d));
      return { x: h.div(factor), undo: (r) => r.mul(factor) };
    }
    case 'layer-norm': {
      const mean = h.mean([-1], { keepdim: true });
      const centred = h.sub(mean);
      const std = ops.linalg_vector_norm(centred, 2, [-1], { keepdim: true }).div(Math.sqrt(d - 1));
      return { x: centred.div(std.add(normalization.epsilon)), undo: (r) => r.mul(std).add(mean) };
    }
  }
}

/** h [N, d] → latents [N, m] and the reconstruction [N, d]. To be called in a scope. */
export function evaluateDescription(description: SaeDescription, h: Tensor): { latents: Tensor; reconstruction: Tensor } {
  const { encoder, decoder, encoderBias, decoderBias, subtractDecoderBias, activation, decoderNorm, normalization } = description;
  const tensors = openTensors(description.checkpoint);
  const named = (name: string): Tensor => tensors.get(name)!;
  const oriented = ({ tensor, transpose }: SaeDescription['encoder']): Tensor => (transpose ? named(tensor).t() : named(tensor));
  const [wEnc, wDec] = [oriented(encoder), oriented(decoder)]; // [d, m], [m, d]
  const norms = ops.linalg_vector_norm(wDec, 2, [-1]); // [m]
  const { x, undo } = normalized(h, normalization, named);
  let a = (subtractDecoderBias ? x.sub(named(decoderBias!)) : x).matmul(wEnc);
  if (encoderBias !== null) a = a.add(named(encoderBias));
  if (decoderNorm !== 'none') a = a.mul(norms);
  let z: Tensor;
  switch (activation.kind) {
    case 'relu': z = a.relu(); break;
    case 'topk': {
      const [values, indices] = ops.topk(a, activation.k);
      z = ops.scatter(ops.zeros_like(a), -1, indices, values).relu();
      break;
    }
    case 'jumprelu': {
      const threshold = 'value' in activation.threshold ? activation.threshold.value : activation.threshold.log ? named(activation.threshold.tensor).exp() : named(activation.threshold.tensor);
      z = a.relu().mul(a.gt(threshold as Tensor));
      break;
    }
    case 'gated':
      z = a.add(named(activation.gateBias)).gt(0).mul(a.mul(named(activation.logScale).exp()).add(named(activation.magnitudeBias)).relu());
  }
  const decoded = decoderNorm === 'none' ? z : z.div(norms);
  const r = decoded.matmul(wDec);
  return { latents: decoderNorm === 'selection' ? decoded : z, reconstruction: undo(decoderBias === null ? r : r.add(named(decoderBias))) };
}
