/**
 * The normalizations of published SAEs. Each is computed in the SAE's dtype, as their libraries do,
 * and undone in it.
 */
import type { Normalization } from './formats/recognise.js';
import { ops, type DType, type Tensor } from '../torch/index.js';
import type { InputNormalization, SaeInput } from './input.js';

type Undo = (reconstruction: Tensor) => Tensor;

function normalized(h: Tensor, normalization: Normalization): { x: Tensor; undo: Undo } {
  const d = h.shape.at(-1)!;
  switch (normalization.kind) {
    case 'none':
      return { x: h, undo: (r) => r };
    case 'scale':
      return { x: h.mul(normalization.factor), undo: (r) => r.div(normalization.factor) };
    case 'token-norm': {
      // [N, 1]
      const factor = ops.linalg_vector_norm(h, 2, [-1], { keepdim: true }).div(Math.sqrt(d));
      return { x: h.div(factor), undo: (r) => r.mul(factor) };
    }
    case 'layer-norm': {
      const mean = h.mean([-1], { keepdim: true }); // [N, 1]
      const centred = h.sub(mean);
      // [N, 1]
      const std = ops.linalg_vector_norm(centred, 2, [-1], { keepdim: true }).div(Math.sqrt(d - 1));
      return { x: centred.div(std.add(normalization.epsilon)), undo: (r) => r.mul(std).add(mean) };
    }
  }
}

function centredFirst(h: Tensor, normalization: Normalization): { x: Tensor; undo: Undo } {
  const mean = h.mean([-1], { keepdim: true }); // [N, 1]
  const { x, undo } = normalized(h.sub(mean), normalization);
  return { x, undo: (r) => undo(r).add(mean) };
}

/** What a description says of an SAE's input, ready to be applied. */
export function inputNormalization(
  normalization: Normalization,
  { centred = false }: { centred?: boolean } = {},
): InputNormalization {
  return {
    key: JSON.stringify({ ...normalization, centred }),
    apply(h: Tensor, dtype: DType): SaeInput {
      const typed = h.dtype === dtype ? h : h.to({ dtype });
      const { x, undo } = centred
        ? centredFirst(typed, normalization)
        : normalized(typed, normalization);
      return {
        x,
        restore: (reconstruction) => {
          const restored = undo(reconstruction);
          return restored.dtype === h.dtype ? restored : restored.to({ dtype: h.dtype });
        },
      };
    },
  };
}
