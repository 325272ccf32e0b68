/**
 * Cost of a forward pass, in multiply-adds of its matmuls, from the configuration of a model and
 * the headers of its weight files. Norms, activations and rotations, about 1 %, are left out.
 */
import type { ModelConfig } from './config.js';
import type { DeltaNetConfig } from './delta-net-config.js';
import { blockOf, isBesideText, WeightFiles } from './weight-files.js';

export interface ForwardCost {
  /** Multiply-adds of one token in each block: L numbers, block 1 first. */
  blocks: readonly number[];
  /** Multiply-adds of the logits of one token: d · V. */
  head: number;
}

/**
 * Multiply-adds of a token in one weight. Each of a block's experts meets the same share of the
 * tokens on average.
 */
function multiplyAdds(
  name: string,
  shape: readonly number[],
  experts: ModelConfig['experts'],
): number {
  if (shape.length < 2 || name.endsWith('bias')) return 0;
  const numbers = shape.reduce((product, size) => product * size, 1);
  if (!name.includes('.experts.')) return shape.length === 2 ? numbers : 0;
  return experts === undefined ? numbers : (numbers * experts.perToken) / experts.count;
}

/** Number of keys that a causal query sees, averaged over positions 0…T−1. */
function averageKeys(T: number, window: number | null): number {
  if (window === null || window >= T) return (T + 1) / 2;
  return window - (window * (window - 1)) / (2 * T);
}

/** The same, if positions attend in chunks; the last chunk may be shorter. */
function keysInChunk(T: number, chunk: number | null, window: number | null): number {
  if (chunk === null || chunk >= T) return averageKeys(T, window);
  const rest = T % chunk;
  const whole = (T - rest) * averageKeys(chunk, window);
  return (whole + (rest === 0 ? 0 : rest * averageKeys(rest, window))) / T;
}

/** Multiply-adds of a token in linear attention: its state is read twice and written once. */
function deltaRuleCost({ keyDim, valueHeads, valueDim }: DeltaNetConfig): number {
  return 3 * valueHeads * keyDim * valueDim;
}

/**
 * Cost of a forward pass of sequences of T tokens, per token.
 * @throws SaeEvalError `model-invalid` if there are no weights, `checkpoint-*`, `file-*`.
 */
export async function forwardCost(config: ModelConfig, T: number): Promise<ForwardCost> {
  const { script, layers } = config;
  // A program tells only how many parameters it has. All but two vocabularies of them are assumed
  // to be in its blocks.
  if (script !== undefined) {
    const each = Math.max(script.parameters - 2 * config.width * config.vocabulary, 0) / layers;
    return {
      blocks: Array.from({ length: layers }, () => each),
      head: config.width * config.vocabulary,
    };
  }
  const files = await WeightFiles.read(config.path);
  const weights = new Array<number>(config.layers).fill(0);
  for (const [name, shape] of files.shapes()) {
    const block = isBesideText(name) ? null : blockOf(name);
    if (block !== null && block < config.layers)
      weights[block]! += multiplyAdds(name, shape, config.experts);
  }
  const { heads, headDim, width, vocabulary, windows, deltaNet, attentionChunks } = config;
  const attention = (i: number): number =>
    deltaNet?.inBlock[i] === true
      ? deltaRuleCost(deltaNet)
      : 2 * keysInChunk(T, attentionChunks?.[i] ?? null, windows[i] ?? null) * heads * headDim;
  return {
    blocks: weights.map((macs, i) => macs + attention(i)),
    head: width * vocabulary,
  };
}
