/** Blocks of a transformer: a norm, attention, a norm and an MLP, joined by the residual stream. */
import type { Tensor } from '../torch/index.js';
import type { BatchContext } from './batch-context.js';
import type { BlockSite } from './hook-names.js';
import type { Layer, SelfAttention } from './layers.js';
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

/** Layers of a {@link SequentialBlock}. A family leaves out the norms that it does not have. */
export interface SequentialLayers {
  beforeAttention?: Layer;
  attention: SelfAttention;
  afterAttention?: Layer;
  beforeMlp?: Layer;
  mlp: Layer;
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
      beforeMlp: noNorm,
      afterMlp: noNorm,
      ...layers,
    };
  }

  forward(r: Tensor, context: BatchContext, tap?: Tap): Tensor {
    const { beforeAttention, attention, afterAttention, beforeMlp, mlp, afterMlp } = this.#layers;
    const attended = attention.forward(beforeAttention.forward(r), context, tap);
    const added = addToResidual(r, afterAttention.forward(attended), 'attn_out', tap); // [b, T, d]
    const h = tap === undefined ? added : tap('resid_mid', added);
    return addToResidual(h, afterMlp.forward(mlp.forward(beforeMlp.forward(h))), 'mlp_out', tap);
  }
}
