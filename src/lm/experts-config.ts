/** Settings of the MLPs that are mixtures of experts, read from `config.json`. */
import type { JsonFields } from './json-fields.js';
import { perBlock } from './transformer-config.js';

export interface ExpertsConfig {
  /** Number of experts in a block. */
  count: number;
  /** Number of experts that a token goes to. */
  perToken: number;
  /** Width inside an expert. */
  width: number;
  /** Width inside the expert that every token goes to; null if there is none. */
  sharedWidth: number | null;
  /** Whether the weights of a token's experts are divided by their sum. */
  normalized: boolean;
  /** Whether the MLP of each block is a mixture; the others are dense. */
  inBlock: readonly boolean[];
}

/**
 * Number of experts that a token goes to.
 * @throws SaeEvalError `model-invalid` if there are not so many.
 */
export function readPerToken(
  fields: JsonFields,
  { count, fallback }: { count: number; fallback: number },
): number {
  const perToken = fields.size('num_experts_per_tok', fallback);
  if (perToken > count)
    fields.invalid('num_experts_per_tok', `a number up to that of the experts (${count})`);
  return perToken;
}

/** Keys by which Qwen's models choose the blocks that are mixtures. */
export const sparseBlockKeys = ['mlp_only_layers', 'decoder_sparse_step'] as const;

/** Which blocks are mixtures by `mlp_only_layers` and `decoder_sparse_step`. */
export function readSparseBlocks(fields: JsonFields, layers: number): boolean[] {
  const dense = new Set(fields.numbers('mlp_only_layers'));
  const step = fields.size('decoder_sparse_step', 1);
  return perBlock(layers, (i) => !dense.has(i) && (i + 1) % step === 0);
}
