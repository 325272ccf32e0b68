/** Blocks of a transformer: norms, attention and an MLP, joined by the residual stream. */
import type { Tensor } from '../torch/index.js';
import type { BatchContext } from './batch-context.js';
import type { BlockSite } from './hook-names.js';
import type { AttentionLayer, Layer, MlpLayer, Norm } from './layers.js';
import type { Tap } from './model.js';

/** One block: r_{i−1} → r_i, [n·B, T, d]. The model frees its temporaries. */
export interface Block {
  forward(r: Tensor, context: BatchContext, tap?: Tap): Tensor;
}

/** r + x. Overwrites x if there is no tap, which could have kept it. */
export function addToResidual(r: Tensor, x: Tensor, site: BlockSite, tap?: Tap): Tensor {
  return tap === undefined ? x.add_(r) : r.add(tap(site, x));
}

const noNorm: Layer = { forward: (x) => x };

/**
 * The MLP's input from the residual stream, through its norm. The tap sees `mlp_in`,
 * `ln2_normalized` if there is a norm, and `ln2_out`.
 */
export function readByMlp(r: Tensor, norm: Norm | null, tap?: Tap): Tensor {
  if (tap === undefined) return norm === null ? r : norm.forward(r);
  const read = tap('mlp_in', r);
  if (norm === null) return tap('ln2_out', read);
  const normalized = norm.normalize(read);
  const seen = tap('ln2_normalized', normalized);
  // The two steps of a norm may round twice: they are taken only if something came between.
  return tap('ln2_out', seen === normalized ? norm.forward(read) : norm.weigh(seen));
}

/** Layers of a {@link SequentialBlock}. A family leaves out the norms that it does not have. */
export interface SequentialLayers {
  beforeAttention?: Layer;
  attention: AttentionLayer;
  afterAttention?: Layer;
  beforeMlp?: Norm | null;
  mlp: MlpLayer;
  afterMlp?: Layer;
}

/**
 * Attention, then the MLP: h = r + after(attention(before(r))), r' = h + after(mlp(before(h))).
 */
export class SequentialBlock implements Block {
  readonly #layers: Required<SequentialLayers>;

  constructor(layers: SequentialLayers) {
    this.#layers = {
      beforeAttention: noNorm,
      afterAttention: noNorm,
      beforeMlp: null,
      afterMlp: noNorm,
      ...layers,
    };
  }

  forward(r: Tensor, context: BatchContext, tap?: Tap): Tensor {
    const { beforeAttention, attention, afterAttention, beforeMlp, mlp, afterMlp } = this.#layers;
    const attended = attention.forward(beforeAttention.forward(r), context, tap);
    const added = addToResidual(r, afterAttention.forward(attended), 'attn_out', tap); // [b, T, d]
    const h = tap === undefined ? added : tap('resid_mid', added);
    const out = mlp.forward(readByMlp(h, beforeMlp, tap), tap); // [b, T, d]
    return addToResidual(h, afterMlp.forward(out), 'mlp_out', tap);
  }
}

/**
 * Attention and MLP side by side: r' = r + attention(norm(r)) + mlp(norm₂(r)). There is no
 * `resid_mid`.
 */
export class ParallelBlock implements Block {
  constructor(
    private readonly layers: {
      beforeAttention: Layer;
      attention: AttentionLayer;
      /** The same norm as before attention in families that have one norm for both. */
      beforeMlp: Norm;
      mlp: MlpLayer;
    },
  ) {}

  forward(r: Tensor, context: BatchContext, tap?: Tap): Tensor {
    const { beforeAttention, attention, beforeMlp, mlp } = this.layers;
    const normalized = beforeAttention.forward(r);
    const attended = attention.forward(normalized, context, tap);
    const h = addToResidual(r, attended, 'attn_out', tap); // [b, T, d]
    const isShared = tap === undefined && (beforeMlp as Layer) === beforeAttention;
    const read = isShared ? normalized : readByMlp(r, beforeMlp, tap);
    return addToResidual(h, mlp.forward(read, tap), 'mlp_out', tap);
  }
}
