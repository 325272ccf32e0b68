/** Makes layers from weights by name: the vocabulary that the files of the families use. */
import type { Bilingual } from '../schema/index.js';
import { ops, type Tensor } from '../torch/index.js';
import type { AttentionOptions } from './attention-options.js';
import type { BatchContext } from './batch-context.js';
import type { Block } from './blocks.js';
import type { ModelConfig } from './config.js';
import { Transformer } from './transformer.js';
import {
  GatedMLP,
  LayerNorm,
  Linear,
  MLP,
  RMSNorm,
  SelfAttention,
  type Layer,
  type ProjectedHeads,
  type SelfAttentionLayers,
} from './layers.js';
import { ResidentBlocks, StreamedBlocks, type Blocks } from './streamed-blocks.js';
import type { Weights } from './weights.js';

export interface LinearSizes {
  from: number;
  to: number;
  bias: boolean;
}

/** Differences from Llama's attention. */
export interface AttentionNames {
  at?: string;
  /** Name of the output projection. */
  out?: string;
  outBias?: boolean;
  /** The change of queries, keys and values before their norms and the rotation. */
  change?: (heads: ProjectedHeads, context: BatchContext) => ProjectedHeads;
  options?: AttentionOptions;
}

export interface LayerNormOptions {
  width?: number;
  /** Whether the norm has a weight, and a bias. */
  weight?: boolean;
  bias?: boolean;
}

export class Builder {
  readonly #streams: boolean;
  readonly #weightDevices: readonly string[];

  /**
   * @param options.streams whether blocks are brought in one at a time; default all are there.
   * @param options.weightDevices other devices that may hold blocks which are brought in.
   */
  constructor(
    readonly config: ModelConfig,
    readonly weights: Weights,
    {
      streams = false,
      weightDevices = [],
    }: { streams?: boolean; weightDevices?: readonly string[] } = {},
  ) {
    this.#streams = streams;
    this.#weightDevices = weightDevices;
  }

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

  layerNorm(
    name: string,
    { width = this.config.width, weight = true, bias = weight }: LayerNormOptions = {},
  ): LayerNorm {
    return new LayerNorm(
      this.weights.takeIf(weight, `${name}.weight`, [width]),
      this.weights.takeIf(bias, `${name}.bias`, [width]),
      this.config.normEps,
    );
  }

  /** Attention options of block `i`, from 0. */
  attentionOptions(i: number): AttentionOptions {
    const { ropes, windows, attentionScale, attentionSoftcap: softcap } = this.config;
    return { rope: ropes[i]!, window: windows[i]!, scale: attentionScale[i]!, softcap };
  }

  /** Attention of block `i`, from 0, with Llama's names unless others are given. */
  attention(
    i: number,
    {
      at = `layers.${i}.self_attn`,
      out = 'o_proj',
      outBias = this.config.attentionBias,
      change = (heads) => heads,
      options = this.attentionOptions(i),
      ...norms
    }: AttentionNames & Pick<SelfAttentionLayers, 'headNorms'> = {},
  ): SelfAttention {
    const project = this.separateHeads(at);
    return new SelfAttention(
      {
        project: (x, context) => change(project(x), context),
        ...norms,
        out: this.attentionOut(`${at}.${out}`, { bias: outBias }),
      },
      options,
    );
  }

  /** Projection to queries, keys and values by three layers below the name `at`. */
  separateHeads(at: string): (x: Tensor) => ProjectedHeads {
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

  /** MLP without a gate. */
  mlp(names: { up: string; down: string }, { bias = this.config.mlpBias } = {}): MLP {
    const { width, mlpWidth, activation } = this.config;
    const up = this.linear(names.up, { from: width, to: mlpWidth, bias });
    const down = this.linear(names.down, { from: mlpWidth, to: width, bias });
    return new MLP({ up, down }, activation);
  }

  /** Gated MLP with gate and up in one weight. */
  fusedGatedMLP(at: string): GatedMLP {
    const { width, mlpWidth, mlpBias: bias, activation } = this.config;
    const both = this.linear(`${at}.gate_up_proj`, { from: width, to: 2 * mlpWidth, bias });
    return new GatedMLP(
      {
        gateAndUp: (x) => both.forward(x).chunk(2, -1) as [Tensor, Tensor],
        down: this.linear(`${at}.down_proj`, { from: mlpWidth, to: width, bias }),
      },
      activation,
    );
  }

  /** Gated MLP of three layers below the name `at`. */
  gatedMLP(
    at: string,
    {
      width: hidden = this.config.mlpWidth,
      bias = this.config.mlpBias,
      names = { gate: 'gate_proj', up: 'up_proj', down: 'down_proj' },
    }: {
      width?: number;
      bias?: boolean;
      names?: { gate: string; up: string; down: string };
    } = {},
  ): GatedMLP {
    const { width, activation } = this.config;
    const gate = this.linear(`${at}.${names.gate}`, { from: width, to: hidden, bias });
    const up = this.linear(`${at}.${names.up}`, { from: width, to: hidden, bias });
    const down = this.linear(`${at}.${names.down}`, { from: hidden, to: width, bias });
    return new GatedMLP({ gateAndUp: (x) => [gate.forward(x), up.forward(x)], down }, activation);
  }

  /** The blocks of the model; `block` makes one, from 0, and takes all of its weights. */
  blocks(block: (i: number) => Block): Blocks {
    const { layers } = this.config;
    return this.#streams
      ? new StreamedBlocks(layers, block, {
          weights: this.weights,
          weightDevices: this.#weightDevices,
        })
      : new ResidentBlocks(Array.from({ length: layers }, (_, i) => block(i)));
  }

  /**
   * Embedding and head. As in transformers 5, two that are tied by `config.json` are tied only if
   * the file does not have both with different values, and one that the file lacks is the other.
   * @param names names of the embedding, and of the head, the preferred one first.
   * @param options.width width of both, if it is not that of the residual stream.
   * @param options.headBias whether the head has a bias.
   */
  embeddingAndHead(
    names: { embedding: string; heads: readonly string[] },
    { width = this.config.width, headBias = false } = {},
  ): { embedding: Tensor; head: Linear; notes: readonly Bilingual[] } {
    const { weights } = this;
    const shape = [this.config.vocabulary, width];
    const stored = [...names.heads, names.heads[0]!].map((name) => `${name}.weight`);
    const head = stored.find((name) => weights.has(name)) ?? stored[0]!;
    const embedding = `${names.embedding}.weight`;
    const bias = weights.takeIf(headBias, `${names.heads[0]!}.bias`, [this.config.vocabulary]);
    const linear = (weight: Tensor): Linear => new Linear(weight, bias, weights.packed);
    if (!this.config.tiedHead)
      return {
        embedding: weights.take(embedding, shape),
        head: linear(weights.take(head, shape)),
        notes: [],
      };
    if (!weights.has(head) || !weights.has(embedding)) {
      const tied = weights.take(weights.has(head) ? head : embedding, shape);
      return { embedding: tied, head: linear(tied), notes: [] };
    }
    const [first, last] = [weights.take(embedding, shape), weights.take(head, shape)];
    if (!ops.equal(first, last)) {
      const note: Bilingual = {
        en:
          `config.json ties the head to the embedding (tie_word_embeddings), but ${head} in the ` +
          'weight files differs from the embedding: the head is used, as in transformers 5.',
        zh:
          `config.json 把输出头与嵌入绑定（tie_word_embeddings），但权重文件中的 ${head} ` +
          '与嵌入不同：与 transformers 5 一样，使用该输出头。',
      };
      return { embedding: first, head: linear(last), notes: [note] };
    }
    weights.release(head);
    return { embedding: first, head: linear(first), notes: [] };
  }

  /** Model with Llama's names around the blocks. */
  transformer(block: (i: number) => Block, finalNorm: Layer = this.rmsNorm('norm')): Transformer {
    return new Transformer(this.config, this.weights, {
      ...this.embeddingAndHead({ embedding: 'embed_tokens', heads: ['lm_head'] }),
      blocks: this.blocks(block),
      finalNorm,
    });
  }
}
