/**
 * The normalizations between a site of the language model and an SAE: how activations become its
 * input, and how a reconstruction becomes activations again.
 *
 * Means and norms are taken in float32 whatever dtypes the language model and the SAE have: in
 * float16 a norm above 65,504 is infinite. The input is rounded to the SAE's dtype afterwards.
 */
import { kernels, ops, scope, type DType, type Tensor } from '../torch/index.js';
import type { Normalization } from './description.js';

/** Activations as an SAE reads them. */
export interface SaeInput {
  /** [N, d] in the SAE's dtype. */
  readonly x: Tensor;
  /** x̂ [N, d] → activations in the language model's dtype, by the statistics that gave `x`. */
  restore(reconstruction: Tensor): Tensor;
  /** Difference of two reconstructions [N, d] → difference of the activations, in float32. */
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

/** Numbers wide enough for statistics: float32, or float64 as they are. */
const wide = (tensor: Tensor): Tensor =>
  tensor.dtype === 'float64' ? tensor : cast(tensor, 'float32');

/** `(h − mean) / (std + 1e-6)`, undone by `· std + mean`: no epsilon there. */
const pre: InputNormalization = {
  key: 'pre',
  apply(h, dtype) {
    const { dtype: own } = h;
    const values = wide(h);
    const [x, mean, std] =
      values.dtype === 'float32' ? kernels.standardize(values) : standardized(values, 1e-6);
    const typed = cast(x, dtype);
    return {
      x: typed,
      restore: (reconstruction) => cast(reconstruction.mul(std).add(mean), own),
      restoreDifference: (difference) => difference.mul(std),
      dispose: disposeAll(typed, x, mean, std, ...(values === h ? [] : [values])),
    };
  },
};

type OwnNormalization = Exclude<Normalization, { kind: 'pre' }>;

interface Undoable {
  x: Tensor;
  undo(reconstruction: Tensor): Tensor;
  restoreDifference(difference: Tensor): Tensor;
  /** Tensors by which it is undone. */
  statistics: readonly Tensor[];
}

function normalized(h: Tensor, normalization: OwnNormalization): Undoable {
  switch (normalization.kind) {
    case 'none':
      return { x: h, undo: (r) => r, restoreDifference: (r) => r, statistics: [] };
    case 'scale': {
      const undo = (r: Tensor): Tensor => r.div(normalization.factor);
      return { x: h.mul(normalization.factor), undo, restoreDifference: undo, statistics: [] };
    }
    case 'token-norm': {
      const norm = ops.linalg_vector_norm(h, 2, [-1], { keepdim: true }); // [N, 1]
      const factor = norm.div(Math.sqrt(h.shape.at(-1)!));
      const undo = (r: Tensor): Tensor => r.mul(factor);
      return { x: h.div(factor), undo, restoreDifference: undo, statistics: [factor] };
    }
    case 'layer-norm': {
      const [x, mean, std] = standardized(h, normalization.epsilon);
      const restoreDifference = (r: Tensor): Tensor => r.mul(std);
      const undo = (r: Tensor): Tensor => r.mul(std).add(mean);
      return { x, undo, restoreDifference, statistics: [mean, std] };
    }
  }
}

function centeredFirst(h: Tensor, normalization: OwnNormalization): Undoable {
  const mean = h.mean([-1], { keepdim: true }); // [N, 1]
  const { undo, statistics, ...rest } = normalized(h.sub(mean), normalization);
  return { ...rest, undo: (r) => undo(r).add(mean), statistics: [...statistics, mean] };
}

/** The normalization of a description, ready to be applied. */
export function inputNormalization(
  normalization: Normalization,
  { centered = false }: { centered?: boolean } = {},
): InputNormalization {
  if (normalization.kind === 'pre') return pre;
  const isIdentity = normalization.kind === 'none' && !centered;
  return {
    key: JSON.stringify({ ...normalization, centered }),
    apply(h: Tensor, dtype: DType): SaeInput {
      const { dtype: own } = h;
      const values = isIdentity ? h : wide(h);
      const found = (centered ? centeredFirst : normalized)(values, normalization);
      const x = cast(found.x, dtype);
      const { undo, restoreDifference, statistics } = found;
      for (const spent of [found.x, values]) if (spent !== x && spent !== h) spent.dispose();
      return {
        x,
        restore: (r) => cast(isIdentity ? r : undo(wide(r)), own),
        restoreDifference: (difference) => restoreDifference(wide(difference)),
        dispose: disposeAll(x, ...statistics),
      };
    },
  };
}
