/**
 * What a forward pass costs, in multiply-adds of its matmuls, from a model's config and the headers
 * of its weight files. Norms, activations and rotations are left out: they are a hundredth of it.
 */
import type { ModelConfig } from './config.js';
import { WeightFiles } from './weight-files.js';

export interface ForwardCost {
  /** Of one token through each block at the sequence length asked for: L numbers, block 1 first. */
  blocks: readonly number[];
  /** Of one token's logits: d · V. */
  head: number;
}

/**
 * The block a tensor belongs to, by its name: `model.layers.3.mlp.up_proj.weight`,
 * `h.3.attn.c_attn.weight`.
 */
const blockName = /(?:^|\.)(?:layers|h)\.(\d+)\./;

/** Keys that a causal query sees on average over positions 0…T−1. */
function averageKeys(T: number, window: number | null): number {
  if (window === null || window >= T) return (T + 1) / 2;
  return window - (window * (window - 1)) / (2 * T);
}

/** @throws SaeEvalError `model-invalid` where there are no weights, `checkpoint-*`, `file-*`. */
export async function forwardCost(config: ModelConfig, T: number): Promise<ForwardCost> {
  const { script, layers } = config;
  // Of a program only the number of its parameters is known: those that are no vocabulary are taken
  // for its blocks'.
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
