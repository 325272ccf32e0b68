/**
 * Compares next-token distributions: the logits of a range of the vocabulary are computed once for
 * the clean pass and compared with every lane's, of which several go through the head in one
 * matmul. Each row's sums are carried from range to range, so logits of a whole vocabulary never
 * exist. Logits are read as float32, sums are float64.
 */
import type { LanguageModel } from '../../lm/index.js';
import { kernels, ops, scope, type Tensor } from '../../torch/index.js';

/**
 * Running sums of n rows' distributions, clean and of each lane, to which ranges of the vocabulary
 * are added in any order.
 */
export class LogitSums {
  /** [lanes, n, 7] float64; the columns are the kernel's. */
  readonly #sums: Tensor;
  readonly #labels: Tensor;

  /** @param labels the next token of each row: [n] int64. */
  constructor(labels: Tensor, { lanes = 1 }: { lanes?: number } = {}) {
    this.#labels = labels;
    this.#sums = scope(() => {
      const sums = ops.zeros([lanes, labels.shape[0]!, 7], {
        dtype: 'float64',
        device: labels.device,
      });
      for (const maximum of [0, 2]) sums.select(-1, maximum).fill_(-Infinity);
      // A label in no range has no logit: its cross-entropy is NaN.
      for (const label of [5, 6]) sums.select(-1, label).fill_(Number.NaN);
      return sums;
    });
  }

  /**
   * Logits of the tokens from `from` on: of the clean pass [n, Vc], and of the lanes `first`… [some
   * lanes, n, Vc].
   */
  add(clean: Tensor, lanes: Tensor, { from, first = 0 }: { from: number; first?: number }): void {
    kernels.addLogits(
      this.#sums.narrow(0, first, lanes.shape[0]!),
      clean,
      lanes,
      this.#labels,
      from,
    );
  }

  /** KL(clean ‖ lane) and both cross-entropies, [lanes, n] float64 each; the sums are used up. */
  finish(): { kl: Tensor; ceClean: Tensor; ceSpliced: Tensor } {
    const result = scope(() => {
      const [maxA, sumA, maxB, sumB, difference, labelA, labelB] = this.#sums.unbind(-1) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      const lseA = maxA.add(sumA.log());
      const lseB = maxB.add(sumB.log());
      return {
        kl: difference.div(sumA).sub(lseA).add(lseB),
        ceClean: lseA.sub(labelA),
        ceSpliced: lseB.sub(labelB),
      };
    });
    this.#sums.dispose();
    return result;
  }
}

export interface LogitComparison {
  model: LanguageModel;
  /** h_L of the clean pass: [N, d]. */
  clean: Tensor;
  /** h_L of the lanes, one after the other: [n·N, d]. */
  lanes: Tensor;
  /** The next token of each row; any token if there is none: [N] int64. */
  labels: Tensor;
  /** Lanes that go through the head in one matmul. */
  lanesPerCall: number;
  /** Logits held at a time, of the lanes of one call. */
  logits: number;
}

export interface LogitDistances {
  /** Cross-entropy of the clean pass: [N]. */
  ceClean: Tensor;
  /** KL(clean ‖ lane) and cross-entropy of each lane: [N] each. */
  lanes: { kl: Tensor; ce: Tensor }[];
}

export function compareLogits({
  model,
  clean,
  lanes,
  labels,
  lanesPerCall,
  logits,
}: LogitComparison): LogitDistances {
  const N = clean.shape[0]!;
  const count = lanes.shape[0]! / N;
  const sums = new LogitSums(labels, { lanes: count });
  const most = Math.max(1, Math.floor(logits / (Math.min(count, lanesPerCall) * N)));
  for (let from = 0; from < model.vocabulary; from += most) {
    const range = { from, count: Math.min(most, model.vocabulary - from) };
    scope(() =>
      model.sharingWeights(() => {
        const ofClean = model.head(clean, range); // [N, Vc]
        for (let first = 0; first < count; first += lanesPerCall) {
          const together = Math.min(lanesPerCall, count - first);
          scope(() => {
            const ofLanes = model
              .head(lanes.narrow(0, first * N, together * N), range)
              .unflatten(0, [together, N]); // [lanes, N, Vc]
            sums.add(ofClean, ofLanes, { from, first });
            return null;
          });
        }
        return null;
      }),
    );
  }
  const { kl, ceClean, ceSpliced } = sums.finish();
  const ces = ceSpliced.unbind(0);
  return {
    ceClean: ceClean.select(0, 0),
    lanes: kl.unbind(0).map((each, lane) => ({ kl: each, ce: ces[lane]! })),
  };
}
