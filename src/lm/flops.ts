/**
 * Cost of a forward pass, in multiply-adds of its matmuls, from the configuration of a model and
 * the headers of its weight files. Norms, activations and rotations, about 1 %, are left out.
 */
import type { ModelConfig } from './config.js';
import { WeightFiles } from './weight-files.js';

export interface ForwardCost {
  /** Multiply-adds of one token in each block: L numbers, block 1 first. */
  blocks: readonly number[];
  /** Multiply-adds of the logits of one token: d · V. */
  head: number;
}

/**
 * Index of a tensor's block in its name, such as `model.layers.3.mlp.up_proj.weight` or
 * `h.3.attn.c_attn.weight`.
 */
const blockName = /(?:^|\.)(?:layers|h)\.(\d+)\./;

/** Number of keys that a causal query sees, averaged over positions 0…T−1. */
function averageKeys(T: number, window: number | null): number {
  if (window === null || window >= T) return (T + 1) / 2;
  return window - (window * (window - 1)) / (2 * T);
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
    const block = blockName.exec(name)?.[1];
    if (block !== undefined && shape.length === 2 && Number(block) < config.layers)
      weights[Number(block)]! += shape[0]! * shape[1]!;
  }
  const { heads, headDim, width, vocabulary, windows } = config;
  return {
    blocks: weights.map(
      (macs, i) => macs + 2 * averageKeys(T, windows[i] ?? null) * heads * headDim,
    ),
    head: width * vocabulary,
  };
}
