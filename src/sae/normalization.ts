/**
 * The normalizations between a site of the language model and an SAE: how activations become its
 * input, and how a reconstruction becomes activations again.
 *
 * `pre(h)` of the RouteSAE family is computed in the language model's dtype (docs: protocols). The
 * others are computed in the SAE's dtype, as their libraries do, and undone in it.
 */
import { kernels, ops, type DType, type Tensor } from '../torch/index.js';
import type { Normalization } from './description.js';

/** Activations as an SAE reads them. */
export interface SaeInput {
  /** [N, d] in the SAE's dtype. */
  readonly x: Tensor;
  /** x̂ [N, d] → activations in the language model's dtype, by the statistics that gave `x`. */
  restore(reconstruction: Tensor): Tensor;
  /** Difference of two reconstructions [N, d] → difference of the activations, in its own dtype. */
  restoreDifference(difference: Tensor): Tensor;
}

export interface InputNormalization {
  /** Equal for normalizations that give equal inputs: these are computed once for a site. */
  readonly key: string;
  /** h [N, d] in the language model's dtype. The tensors it makes belong to the scope around it. */
  apply(h: Tensor, dtype: DType): SaeInput;
}

/** Mean and unbiased standard deviation of rows [N, d]: [N, 1] each, and the rows less their mean. */
function moments(h: Tensor): { mean: Tensor; std: Tensor; centered: Tensor } {
  const mean = h.mean([-1], { keepdim: true });
  const centered = h.sub(mean);
  const norm = ops.linalg_vector_norm(centered, 2, [-1], { keepdim: true });
  return { mean, std: norm.div(Math.sqrt(h.shape.at(-1)! - 1)), centered };
}

const cast = (tensor: Tensor, dtype: DType): Tensor =>
  tensor.dtype === dtype ? tensor : tensor.to({ dtype });

/** `(h − mean) / (std + 1e-6)`, undone by `· std + mean`: no epsilon there. */
const pre: InputNormalization = {
  key: 'pre',
  apply(h, dtype) {
    let x: Tensor;
    let mean: Tensor;
    let std: Tensor;
    if (h.dtype === 'float32') [x, mean, std] = kernels.standardize(h);
    else {
      const found = moments(h);
      ({ mean, std } = found);
      x = found.centered.div(std.add(1e-6));
    }
    return {
      x: cast(x, dtype),
      restore: (reconstruction) => cast(reconstruction.mul(std).add(mean), h.dtype),
      restoreDifference: (difference) => difference.mul(std),
    };
  },
};

type Undoable = Omit<SaeInput, 'restore'> & { undo(reconstruction: Tensor): Tensor };

function normalized(h: Tensor, normalization: Exclude<Normalization, { kind: 'pre' }>): Undoable {
  switch (normalization.kind) {
    case 'none':
      return { x: h, undo: (r) => r, restoreDifference: (r) => r };
    case 'scale': {
      const undo = (r: Tensor): Tensor => r.div(normalization.factor);
      return { x: h.mul(normalization.factor), undo, restoreDifference: undo };
    }
    case 'token-norm': {
      const norm = ops.linalg_vector_norm(h, 2, [-1], { keepdim: true }); // [N, 1]
      const factor = norm.div(Math.sqrt(h.shape.at(-1)!));
      const undo = (r: Tensor): Tensor => r.mul(factor);
      return { x: h.div(factor), undo, restoreDifference: undo };
    }
    case 'layer-norm': {
      const { mean, std, centered } = moments(h);
      return {
        x: centered.div(std.add(normalization.epsilon)),
        undo: (r) => r.mul(std).add(mean),
        restoreDifference: (r) => r.mul(std),
      };
    }
  }
}

function centeredFirst(
  h: Tensor,
  normalization: Exclude<Normalization, { kind: 'pre' }>,
): Undoable {
  const mean = h.mean([-1], { keepdim: true }); // [N, 1]
  const { undo, ...rest } = normalized(h.sub(mean), normalization);
  return { ...rest, undo: (r) => undo(r).add(mean) };
}

/** The normalization of a description, ready to be applied. */
export function inputNormalization(
  normalization: Normalization,
  { centered = false }: { centered?: boolean } = {},
): InputNormalization {
  if (normalization.kind === 'pre') return pre;
  return {
    key: JSON.stringify({ ...normalization, centered }),
    apply(h: Tensor, dtype: DType): SaeInput {
      const typed = cast(h, dtype);
      const { undo, ...rest } = (centered ? centeredFirst : normalized)(typed, normalization);
      return { ...rest, restore: (reconstruction) => cast(undo(reconstruction), h.dtype) };
    },
  };
}
