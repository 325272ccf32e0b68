/**
 * Compares next-token distributions, one range of the vocabulary at a time: the clean logits of a
 * range are computed once and compared with those of every lane, of which several go through the
 * head in one matmul. Each row's sums are carried from range to range, so the logits of a whole
 * vocabulary never exist. Logits are read as float32, sums are float64.
 */
import type { LanguageModel } from '../../lm/index.js';
import { keep, kernels, ops, scope, type Tensor } from '../../torch/index.js';
import { LeastLogit } from './peers/underflow.js';

/**
 * Running sums of the clean distribution and of each lane's, for n rows. Ranges of the vocabulary
 * can be added in any order.
 */
export class LogitSums {
  /** [lanes, n, 7] float64; the kernel defines the columns. */
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
   * Adds the logits of the tokens from `from` on.
   * @param clean logits of the clean pass: [n, Vc].
   * @param lanes logits of consecutive lanes, the first of which is `first`: [some lanes, n, Vc].
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

  /** Adds a lane that has the same log-probabilities [V] in every row. */
  addConstant(
    clean: Tensor,
    logProbabilities: Tensor,
    { from, count }: { from: number; count: number },
  ): void {
    scope(() => {
      const lane = logProbabilities.narrow(0, from, count).expand([1, clean.shape[0]!, count]);
      this.add(clean.to({ dtype: lane.dtype }), lane.contiguous(), { from });
      return null;
    });
  }

  /**
   * KL(clean ‖ lane), both cross-entropies and log-sum-exps: [lanes, n] float64 each. Frees the
   * sums.
   */
  finish(): Record<'kl' | 'ceClean' | 'ceSpliced' | 'lseClean' | 'lse', Tensor> {
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
        lseClean: lseA,
        lse: lseB,
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
  /** h_L of the lanes, one after the other; those of a part go through the head in one matmul. */
  lanes: readonly Tensor[]; // [n·N, d] each
  /** The next token of each row, any token if a row has none: [N] int64. */
  labels: Tensor;
  /** Log-probabilities that are the same at every position: [V] float32 each. Default none. */
  constants?: readonly Tensor[];
  /** Lanes, by their place, whose most likely next tokens are compared with the clean ones. */
  agreeing?: ReadonlySet<number>;
  /** Lanes, by their place, of which it is told where a probability is zero. */
  underflowing?: ReadonlySet<number>;
  /** Number of logits held at a time, of the lanes of one call. */
  logits: number;
}

export interface LogitDistances {
  /** Cross-entropy of the clean pass: [N]. */
  ceClean: Tensor;
  /**
   * KL(clean ‖ lane) and cross-entropy of each lane, and where that was asked for 1 if both have
   * the same most likely next token, else 0: [N] each.
   */
  lanes: { kl: Tensor; ce: Tensor; agrees?: Tensor; underflows?: Tensor }[];
  /** 1 where a probability of the clean pass is zero in its dtype, else 0, if asked for: [N]. */
  cleanUnderflows?: Tensor;
  /** KL(clean ‖ constant): [N] each. */
  constants: Tensor[];
}

/** The most likely token of each row, while the vocabulary is seen range by range. */
class Likeliest {
  #logit: Tensor | null = null; // [N]
  #token: Tensor | null = null; // [N] int64

  /** @param logits of the tokens from `from` on: [N, Vc]. */
  see(logits: Tensor, from: number): void {
    const [high, at] = logits.max(-1);
    const token = at.add(from);
    const [logit, before] = [this.#logit, this.#token];
    if (logit === null || before === null) {
      [this.#logit, this.#token] = [keep(high), keep(token)];
      return;
    }
    const isHigher = high.gt(logit);
    this.#logit = keep(ops.where(isHigher, high, logit));
    this.#token = keep(ops.where(isHigher, token, before));
    logit.dispose();
    before.dispose();
  }

  /** 1 for each row that has the same token in both, else 0: [N] float32. */
  agrees(other: Likeliest): Tensor {
    return scope(() => this.#token!.eq(other.#token!).to({ dtype: 'float32' }));
  }

  dispose(): void {
    this.#logit?.dispose();
    this.#token?.dispose();
  }
}

export function compareLogits({
  model,
  clean,
  lanes,
  labels,
  constants = [],
  agreeing = new Set(),
  underflowing = new Set(),
  logits,
}: LogitComparison): LogitDistances {
  const N = clean.shape[0]!;
  const sizes = lanes.map((part) => part.shape[0]! / N);
  const count = sizes.reduce((sum, size) => sum + size, 0);
  const sums = new LogitSums(labels, { lanes: count });
  const ofConstants = constants.map(() => new LogitSums(labels));
  const ofClean = new Likeliest();
  const leastClean = underflowing.size > 0 ? new LeastLogit() : null;
  const least = new Map([...underflowing].map((lane) => [lane, new LeastLogit()]));
  const likeliest = new Map([...agreeing].map((lane) => [lane, new Likeliest()]));
  const seeLanes = (lanesLogits: Tensor, first: number, from: number): void => {
    for (const [lane, own] of likeliest)
      if (lane >= first && lane < first + lanesLogits.shape[0]!)
        own.see(lanesLogits.select(0, lane - first), from);
    for (const [lane, own] of least)
      if (lane >= first && lane < first + lanesLogits.shape[0]!)
        own.see(lanesLogits.select(0, lane - first));
  };
  const most = Math.max(1, Math.floor(logits / (Math.max(...sizes) * N)));
  try {
    for (let from = 0; from < model.vocabulary; from += most) {
      const range = { from, count: Math.min(most, model.vocabulary - from) };
      scope(() =>
        model.sharingWeights(() => {
          const cleanLogits = model.head(clean, range); // [N, Vc]
          if (likeliest.size > 0) ofClean.see(cleanLogits, from);
          leastClean?.see(cleanLogits);
          ofConstants.forEach((own, at) => own.addConstant(cleanLogits, constants[at]!, range));
          let first = 0;
          for (const [n, part] of lanes.entries()) {
            const together = sizes[n]!;
            scope(() => {
              const ofLanes = model.head(part, range).unflatten(0, [together, N]); // [lanes, N, Vc]
              sums.add(cleanLogits, ofLanes, { from, first });
              seeLanes(ofLanes, first, from);
              return null;
            });
            first += together;
          }
          return null;
        }),
      );
    }
    const { kl, ceClean, ceSpliced, lseClean, lse } = sums.finish();
    const { dtype } = clean;
    const lses = lse.unbind(0);
    const ces = ceSpliced.unbind(0);
    return {
      ceClean: ceClean.select(0, 0),
      constants: ofConstants.map((own) => own.finish().kl.select(0, 0)),
      lanes: kl.unbind(0).map((each, lane) => ({
        kl: each,
        ce: ces[lane]!,
        ...(likeliest.has(lane) ? { agrees: likeliest.get(lane)!.agrees(ofClean) } : {}),
        ...(least.has(lane) ? { underflows: least.get(lane)!.underflows(lses[lane]!, dtype) } : {}),
      })),
      ...(leastClean === null
        ? {}
        : { cleanUnderflows: leastClean.underflows(lseClean.select(0, 0), dtype) }),
    };
  } finally {
    for (const one of [ofClean, ...likeliest.values(), ...least.values()]) one.dispose();
    leastClean?.dispose();
  }
}
