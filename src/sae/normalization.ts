/**
 * The normalizations between a site of the language model and an SAE: how activations become its
 * input, and how a reconstruction becomes activations again.
 *
 * `pre(h)` of the RouteSAE family is computed in the language model's dtype (docs: protocols). The
 * others are computed in the SAE's dtype, as their libraries do, and undone in it.
 */
import { kernels, ops, scope, type DType, type Tensor } from '../torch/index.js';
import type { Normalization } from './description.js';

/** Activations as an SAE reads them. */
export interface SaeInput {
  /** [N, d] in the SAE's dtype. */
  readonly x: Tensor;
  /** x̂ [N, d] → activations in the language model's dtype, by the statistics that gave `x`. */
  restore(reconstruction: Tensor): Tensor;
  /** Difference of two reconstructions [N, d] → difference of the activations, in its own dtype. */
  restoreDifference(difference: Tensor): Tensor;
  /** Frees `x` and the statistics. */
  dispose(): void;
}

const disposeAll =
  (...tensors: Tensor[]) =>
  (): void =>
    tensors.forEach((tensor) => tensor.dispose());

export interface InputNormalization {
  /** Equal for normalizations that give equal inputs: these are computed once for a site. */
  readonly key: string;
  /** h [N, d] in the language model's dtype. The tensors it makes belong to the scope around it. */
  apply(h: Tensor, dtype: DType): SaeInput;
}

type Statistics = [x: Tensor, mean: Tensor, std: Tensor];

/**
 * Rows [N, d] less their mean, over their unbiased standard deviation plus epsilon; mean and
 * deviation [N, 1].
 */
function standardized(h: Tensor, epsilon: number): Statistics {
  return scope(() => {
    const mean = h.mean([-1], { keepdim: true });
    const centered = h.sub(mean);
    const norm = ops.linalg_vector_norm(centered, 2, [-1], { keepdim: true });
    const std = norm.div(Math.sqrt(h.shape.at(-1)! - 1));
    return [centered.div(std.add(epsilon)), mean, std];
  });
}

const cast = (tensor: Tensor, dtype: DType): Tensor =>
  tensor.dtype === dtype ? tensor : tensor.to({ dtype });

/** `(h − mean) / (std + 1e-6)`, undone by `· std + mean`: no epsilon there. */
const pre: InputNormalization = {
  key: 'pre',
  apply(h, dtype) {
    const { dtype: own } = h;
    const [x, mean, std] = own === 'float32' ? kernels.standardize(h) : standardized(h, 1e-6);
    const typed = cast(x, dtype);
    return {
      x: typed,
      restore: (reconstruction) => cast(reconstruction.mul(std).add(mean), own),
      restoreDifference: (difference) => difference.mul(std),
      dispose: disposeAll(typed, x, mean, std),
    };
  },
};

type OwnNormalization = Exclude<Normalization, { kind: 'pre' }>;
type Undoable = Omit<SaeInput, 'restore'> & { undo(reconstruction: Tensor): Tensor };

function normalized(h: Tensor, normalization: OwnNormalization): Undoable {
  switch (normalization.kind) {
    case 'none':
      return { x: h, undo: (r) => r, restoreDifference: (r) => r, dispose: disposeAll(h) };
    case 'scale': {
      const undo = (r: Tensor): Tensor => r.div(normalization.factor);
      const x = h.mul(normalization.factor);
      return { x, undo, restoreDifference: undo, dispose: disposeAll(x) };
    }
    case 'token-norm': {
      const norm = ops.linalg_vector_norm(h, 2, [-1], { keepdim: true }); // [N, 1]
      const factor = norm.div(Math.sqrt(h.shape.at(-1)!));
      const undo = (r: Tensor): Tensor => r.mul(factor);
      const x = h.div(factor);
      return { x, undo, restoreDifference: undo, dispose: disposeAll(x, factor) };
    }
    case 'layer-norm': {
      const [x, mean, std] = standardized(h, normalization.epsilon);
      const restoreDifference = (r: Tensor): Tensor => r.mul(std);
      const dispose = disposeAll(x, mean, std);
      return { x, undo: (r) => r.mul(std).add(mean), restoreDifference, dispose };
    }
  }
}

function centeredFirst(h: Tensor, normalization: OwnNormalization): Undoable {
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
      const { dtype: own } = h;
      const typed = cast(h, dtype);
      const { undo, ...rest } = (centered ? centeredFirst : normalized)(typed, normalization);
      return { ...rest, restore: (reconstruction) => cast(undo(reconstruction), own) };
    },
  };
}
