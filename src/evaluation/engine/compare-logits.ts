/**
 * Compares next-token distributions: the clean logits of a slice of rows are computed once and compared with every lane's
 * logits of the same rows. Logits are never held for more than a slice. Everything in float32.
 */
import type { LanguageModel } from '../../lm/index.js';
import { operator, ops, scope, type Tensor } from '../../torch/index.js';

/** `(clean [n, V], spliced [n, V], next tokens [n]) → [KL, cross-entropy of clean, of spliced]`, [n] each: one pass over the rows. */
const compare = operator('sae_eval::compare_logits') as (clean: Tensor, spliced: Tensor, labels: Tensor) => [Tensor, Tensor, Tensor];

export interface LogitComparison {
  model: LanguageModel;
  /** h_L of the clean pass: [N, d]. */
  clean: Tensor;
  /** h_L of each lane: [N, d]. */
  lanes: readonly Tensor[];
  /** The next token of each row; any token where there is none: [N] int64. */
  labels: Tensor;
  /** Rows of logits held at a time. */
  rows: number;
}

export interface LogitDistances {
  /** Cross-entropy of the clean pass: [N]. */
  ceClean: Tensor;
  /** Of each lane: KL(clean ‖ lane) and cross-entropy, [N] each. */
  lanes: { kl: Tensor; ce: Tensor }[];
}

export function compareLogits({ model, clean, lanes, labels, rows }: LogitComparison): LogitDistances {
  const N = clean.shape[0]!;
  const like = { dtype: 'float32', device: clean.device } as const;
  const ceClean = ops.zeros([N], like);
  const results = lanes.map(() => ({ kl: ops.zeros([N], like), ce: ops.zeros([N], like) }));
  for (let from = 0; from < N; from += rows) {
    const count = Math.min(rows, N - from);
    const slice = (of: Tensor): Tensor => of.narrow(0, from, count);
    scope(() => {
      const logits = model.head(slice(clean)); // [n, V]
      lanes.forEach((lane, index) => {
        scope(() => {
          const [kl, ofClean, ofLane] = compare(logits, model.head(slice(lane)), slice(labels));
          slice(results[index]!.kl).copy_(kl);
          slice(results[index]!.ce).copy_(ofLane);
          if (index === 0) slice(ceClean).copy_(ofClean);
          return null;
        });
      });
      return null;
    });
  }
  return { ceClean, lanes: results };
}
