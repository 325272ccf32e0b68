/**
 * Llama 2 and 3 (Touvron et al. 2023, arXiv:2307.09288; Grattafiori et al. 2024, arXiv:2407.21783):
 * pre-norm blocks, rotary positions, grouped queries, gated MLP. Also what is built alike under
 * this name, such as SmolLM.
 */
import type { Tensor } from '../torch/index.js';
import type { BatchContext } from './attention.js';
import { Builder } from './builder.js';
import type { ModelConfig } from './config.js';
import { addToResidual, type Block, type Decoder } from './decoder.js';
import { SelfAttention, type Layer } from './layers.js';
import type { Tap } from './model.js';
import type { Weights } from './weights.js';

export class PreNormBlock implements Block {
  constructor(
    private readonly layers: {
      attentionNorm: Layer;
      attention: SelfAttention;
      mlpNorm: Layer;
      mlp: Layer;
    },
  ) {}

  forward(r: Tensor, context: BatchContext, tap?: Tap): Tensor {
    const { attentionNorm, attention, mlpNorm, mlp } = this.layers;
    const added = addToResidual(
      r,
      attention.forward(attentionNorm.forward(r), context, tap),
      'attn_out',
      tap,
    ); // [b, T, d]
    const h = tap === undefined ? added : tap('resid_mid', added);
    return addToResidual(h, mlp.forward(mlpNorm.forward(h)), 'mlp_out', tap);
  }
}

export function llama(config: ModelConfig, weights: Weights): Decoder {
  const build = new Builder(config, weights);
  return build.decoder(
    (i) =>
      new PreNormBlock({
        attentionNorm: build.rmsNorm(`layers.${i}.input_layernorm`),
        attention: new SelfAttention(
          {
            project: build.separateHeads(`layers.${i}.self_attn`),
            out: build.attentionOut(`layers.${i}.self_attn.o_proj`),
          },
          build.attentionOptions(i),
        ),
        mlpNorm: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
        mlp: build.gatedMLP(`layers.${i}.mlp`),
      }),
  );
}
