/**
 * Compares next-token distributions: the logits of a range of the vocabulary are computed once for the clean pass and
 * compared with every lane's, of which several go through the head in one matmul. Each row's sums are carried from range
 * to range, so logits of a whole vocabulary never exist. Logits are read as float32, sums are float64.
 */
import type { LanguageModel } from '../../lm/index.js';
import { kernels, ops, scope, type Tensor } from '../../torch/index.js';

/** Running sums of n pairs of distributions, to which ranges of the vocabulary are added in any order. */
export class LogitSums {
  /** [n, 7] float64; the columns are the kernel's. */
  readonly #sums: Tensor;
  readonly #labels: Tensor;

  /** @param labels the next token of each row: [n] int64. */
  constructor(labels: Tensor) {
    this.#labels = labels;
    this.#sums = scope(() => {
      const sums = ops.zeros([labels.shape[0]!, 7], { dtype: 'float64', device: labels.device });
      for (const maximum of [0, 2]) sums.select(1, maximum).fill_(-Infinity);
      // A label in no range has no logit: its cross-entropy is NaN.
      for (const label of [5, 6]) sums.select(1, label).fill_(Number.NaN);
      return sums;
    });
  }

  /** Logits of the tokens from `from` on, of the clean and the spliced pass: [n, Vc] each. */
  add(clean: Tensor, spliced: Tensor, from: number): void {
    kernels.addLogits(this.#sums, clean, spliced, this.#labels, from);
  }

  /** KL(clean ‖ spliced) and both cross-entropies, [n] float64 each; the sums are used up. */
  finish(): { kl: Tensor; ceClean: Tensor; ceSpliced: Tensor } {
    const result = scope(() => {
      const [maxA, sumA, maxB, sumB, difference, labelA, labelB] = this.#sums.unbind(1) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
      const lseA = maxA.add(sumA.log());
      const lseB = maxB.add(sumB.log());
      return { kl: difference.div(sumA).sub(lseA).add(lseB), ceClean: lseA.sub(labelA), ceSpliced: lseB.sub(labelB) };
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
  /** The next token of each row; any token where there is none: [N] int64. */
  labels: Tensor;
  /** Lanes that go through the head in one matmul. */
  lanesPerCall: number;
  /** Logits held at a time, of the lanes of one call. */
  logits: number;
}

export interface LogitDistances {
  /** Cross-entropy of the clean pass: [N]. */
  ceClean: Tensor;
  /** Of each lane: KL(clean ‖ lane) and cross-entropy, [N] each. */
  lanes: { kl: Tensor; ce: Tensor }[];
}

export function compareLogits({ model, clean, lanes, labels, lanesPerCall, logits }: LogitComparison): LogitDistances {
  const N = clean.shape[0]!;
  const count = lanes.shape[0]! / N;
  const sums = Array.from({ length: count }, () => new LogitSums(labels));
  const most = Math.max(1, Math.floor(logits / (Math.min(count, lanesPerCall) * N)));
  for (let from = 0; from < model.vocabulary; from += most) {
    const range = { from, count: Math.min(most, model.vocabulary - from) };
    scope(() => {
      const ofClean = model.head(clean, range); // [N, Vc]
      for (let first = 0; first < count; first += lanesPerCall) {
        const together = Math.min(lanesPerCall, count - first);
        scope(() => {
          const ofLanes = model.head(lanes.narrow(0, first * N, together * N), range).unflatten(0, [together, N]); // [lanes, N, Vc]
          ofLanes.unbind(0).forEach((spliced, lane) => sums[first + lane]!.add(ofClean, spliced, from));
          return null;
        });
      }
      return null;
    });
  }
  const finished = sums.map((each) => each.finish());
  return { ceClean: finished[0]!.ceClean, lanes: finished.map(({ kl, ceSpliced }) => ({ kl, ce: ceSpliced })) };
}
