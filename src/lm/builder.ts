/** Makes layers from weights by name: the vocabulary that the files of the families use. */
import type { Tensor } from '../torch/index.js';
import type { AttentionOptions } from './attention.js';
import type { Block } from './blocks.js';
import type { ModelConfig } from './config.js';
import { Transformer } from './transformer.js';
import {
  GatedMLP,
  LayerNorm,
  Linear,
  RMSNorm,
  SelfAttention,
  type SelfAttentionLayers,
} from './layers.js';
import type { Weights } from './weights.js';

export interface LinearSizes {
  from: number;
  to: number;
  bias: boolean;
}

export class Builder {
  constructor(
    readonly config: ModelConfig,
    readonly weights: Weights,
  ) {}

  linear(name: string, { from, to, bias }: LinearSizes): Linear {
    return new Linear(
      this.weights.take(`${name}.weight`, [to, from]),
      this.weights.takeIf(bias, `${name}.bias`, [to]),
      this.weights.packed,
    );
  }

  /** Linear layer whose weight is stored [in, out], as GPT-2's Conv1D. */
  linearTransposed(name: string, { from, to, bias }: LinearSizes): Linear {
    const weight = this.weights.own(this.weights.take(`${name}.weight`, [from, to]).t());
    const { packed } = this.weights;
    return new Linear(weight, this.weights.takeIf(bias, `${name}.bias`, [to]), packed);
  }

  rmsNorm(name: string, width = this.config.width): RMSNorm {
    return new RMSNorm(this.weights.take(`${name}.weight`, [width]), this.config.normEps);
  }

  layerNorm(name: string, width = this.config.width): LayerNorm {
    return new LayerNorm(
      this.weights.take(`${name}.weight`, [width]),
      this.weights.take(`${name}.bias`, [width]),
      this.config.normEps,
    );
  }

  /** Attention options of block `i`, from 0. */
  attentionOptions(i: number): AttentionOptions {
    const { ropes, windows, attentionScale, attentionSoftcap: softcap } = this.config;
    return { rope: ropes[i]!, window: windows[i]!, scale: attentionScale[i]!, softcap };
  }

  /** Llama's attention of block `i`, from 0: `layers.i.self_attn`. */
  attention(
    i: number,
    {
      outBias = this.config.attentionBias,
      ...norms
    }: { outBias?: boolean } & Pick<SelfAttentionLayers, 'headNorms'> = {},
  ): SelfAttention {
    const at = `layers.${i}.self_attn`;
    return new SelfAttention(
      {
        project: this.separateHeads(at),
        ...norms,
        out: this.attentionOut(`${at}.o_proj`, { bias: outBias }),
      },
      this.attentionOptions(i),
    );
  }

  /** Projection to queries, keys and values by three layers below the name `at`. */
  separateHeads(at: string): SelfAttentionLayers['project'] {
    const { width, heads, keyValueHeads, headDim, attentionBias: bias } = this.config;
    const project = (name: string, count: number): ((x: Tensor) => Tensor) => {
      const layer = this.linear(`${at}.${name}`, { from: width, to: count * headDim, bias });
      return (x) => layer.forward(x).unflatten(-1, [count, headDim]); // [b, T, H, hd]
    };
    const [q, k, v] = [
      project('q_proj', heads),
      project('k_proj', keyValueHeads),
      project('v_proj', keyValueHeads),
    ];
    return (x) => [q(x), k(x), v(x)];
  }

  attentionOut(name: string, { bias = this.config.attentionBias } = {}): Linear {
    const { width, heads, headDim } = this.config;
    return this.linear(name, { from: heads * headDim, to: width, bias });
  }

  gatedMLP(at: string): GatedMLP {
    const { width, mlpWidth, mlpBias: bias, activation } = this.config;
    const gate = this.linear(`${at}.gate_proj`, { from: width, to: mlpWidth, bias });
    const up = this.linear(`${at}.up_proj`, { from: width, to: mlpWidth, bias });
    const down = this.linear(`${at}.down_proj`, { from: mlpWidth, to: width, bias });
    return new GatedMLP({ gateAndUp: (x) => [gate.forward(x), up.forward(x)], down }, activation);
  }

  blocks(block: (i: number) => Block): Block[] {
    return Array.from({ length: this.config.layers }, (_, i) => block(i));
  }

  /** Head of that name, or the embedding's transpose if the two are tied. */
  head(name: string, embedding: Tensor): Linear {
    const { width, vocabulary, tiedHead } = this.config;
    return new Linear(
      tiedHead ? embedding : this.weights.take(`${name}.weight`, [vocabulary, width]),
      null,
      this.weights.packed,
    );
  }

  /** Model with Llama's names around the blocks. */
  transformer(block: (i: number) => Block): Transformer {
    const { width, vocabulary } = this.config;
    const embedding = this.weights.take('embed_tokens.weight', [vocabulary, width]);
    return new Transformer(this.config, this.weights, {
      embedding,
      blocks: this.blocks(block),
      finalNorm: this.rmsNorm('norm'),
      head: this.head('lm_head', embedding),
    });
  }
}
