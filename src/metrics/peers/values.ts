/**
 * The numbers of other tools from the sums of a run. Means are over the counted tokens of all
 * batches at once; those that the tools take batch by batch are means of batch values here too.
 */
import type { PeerValues } from './fields.js';
import { peerRules, type PeerProtocol } from './protocols.js';
import { batchColumns, passColumns, peerColumns, peerVectors } from './columns.js';

/** Sums of one SAE under one protocol of another tool. */
export interface PeerSums {
  /** Width of the activations. */
  readonly width: number;
  /** Numbers of counted tokens of each batch. */
  readonly tokens: readonly number[];
  /** Sums of a column in each batch; null if there are none. */
  batches(column: string): readonly number[] | null;
  /** Sums over the samples that were spliced; null if none was. */
  readonly spliced: {
    readonly tokens: number;
    readonly nextTokens: number;
    readonly ceClean: number;
    total(column: string): number | null;
  } | null;
  /** Vector over the run; null if there is none. */
  vector(name: string): Float64Array | null;
}

const sum = (values: Iterable<number>): number => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};

const meanOf = (values: readonly number[]): number => sum(values) / values.length;

/** Variance below which an explained variance is not a ratio. */
const noVariance = { pooled: 1e-10 };

/** `1 − R / (A − ‖h̄‖²)`, sums over all tokens at once. */
function pooledVariance({
  squaredError,
  squaredIn,
  mean,
}: {
  squaredError: number;
  squaredIn: number;
  mean: Float64Array;
}): number {
  const variance = squaredIn - mean.reduce((total, value) => total + value * value, 0);
  if (variance < noVariance.pooled) return squaredError < noVariance.pooled ? 1 : 0;
  return 1 - squaredError / variance;
}

/** The values of a protocol by the tool's names; NaN for quotients of zero. */
export function peerValues(protocol: PeerProtocol, sums: PeerSums): PeerValues {
  const rules = peerRules[protocol];
  const { tokens, width, spliced } = sums;
  const n = sum(tokens);
  const batches = ({ name }: { name: string }): readonly number[] => sums.batches(name) ?? [];
  const mean = (column: { name: string }): number => sum(batches(column)) / n;
  const batchMeans = (column: { name: string }): number[] =>
    batches(column).map((total, batch) => total / tokens[batch]!);
  const { squaredIn, squaredOut, squaredError, product } = peerColumns;

  const explained = (): number => {
    if (rules.explainedVariance === 'pooled') {
      const mean1 = sums.vector(peerVectors.inputSum.name)!.map((value) => value / n);
      return pooledVariance({
        squaredError: mean(squaredError),
        squaredIn: mean(squaredIn),
        mean: mean1,
      });
    }
    const a = meanOf(batchMeans(squaredIn));
    // The mean over dimensions of the mean squares, which takes the place of the squared mean.
    const c = a / width;
    return 1 - meanOf(batchMeans(squaredError)) / (a - c * c);
  };
  const mse = rules.mseShrinks
    ? sum(batches(squaredError).map((total, batch) => total / tokens[batch]!)) / n
    : mean(squaredError);
  const bias = batches(squaredOut).map((total, batch) => total / batches(product)[batch]!);

  const pass = (column: { name: string; over: string }): number | null => {
    const total = spliced?.total(column.name) ?? null;
    if (spliced === null || total === null) return null;
    return total / (column.over === 'positions' ? spliced.tokens : spliced.nextTokens);
  };
  // 0 · log 0 is NaN, p · log (p / 0) is infinite.
  const klOf = (column: { name: string; over: string }, zeros: { name: string }): number | null => {
    const kl = pass(column);
    if (kl === null || !rules.klUnderflows) return kl;
    if ((spliced?.total(passColumns.cleanUnderflows.name) ?? 0) > 0) return Number.NaN;
    return (spliced?.total(zeros.name) ?? 0) > 0 ? Infinity : kl;
  };
  const klSae = klOf(passColumns.kl, passColumns.underflows);
  const klZero = klOf(passColumns.klZero, passColumns.zeroUnderflows);
  const ceSae = pass(passColumns.ceSpliced);
  const ceZero = pass(passColumns.ceZero);
  const ceClean = spliced === null ? null : spliced.ceClean / spliced.nextTokens;

  return {
    kl_div_score: klSae === null || klZero === null ? null : (klZero - klSae) / klZero,
    kl_div_with_sae: klSae,
    kl_div_with_ablation: klZero,
    ce_loss_score:
      ceSae === null || ceZero === null || ceClean === null
        ? null
        : (ceZero - ceSae) / (ceZero - ceClean),
    ce_loss_with_sae: ceSae,
    ce_loss_without_sae: ceClean,
    ce_loss_with_ablation: ceZero,
    explained_variance: explained(),
    explained_variance_legacy: mean(batchColumns.legacy),
    mse,
    cossim: mean(peerColumns.cosine),
    l2_norm_in: mean(peerColumns.normIn),
    l2_norm_out: mean(peerColumns.normOut),
    l2_ratio: mean(peerColumns.normRatio),
    relative_reconstruction_bias: meanOf(bias),
    l0: mean(peerColumns.active),
    l1: mean(peerColumns.l1),
    ...densities(sums, n),
    ...(rules.weights
      ? {
          average_max_encoder_cosine_sim: sums.vector(peerVectors.encoderCosine.name)?.[0] ?? null,
          average_max_decoder_cosine_sim: sums.vector(peerVectors.decoderCosine.name)?.[0] ?? null,
        }
      : {}),
  };
}

type Densities = Record<
  | 'frac_alive'
  | 'freq_over_1_percent'
  | 'freq_over_10_percent'
  | 'normalized_freq_over_1_percent'
  | 'normalized_freq_over_10_percent',
  number
>;

/** Shares of latents by how often they are active. */
function densities(sums: PeerSums, n: number): Densities {
  const counts = sums.vector(peerVectors.firing.name) ?? new Float64Array();
  const all = counts.map((count) => count / n);
  const above = (bound: number): Float64Array => all.filter((density) => density > bound);
  const total = sum(all);
  const part = (bound: number): number => (total > 0 ? sum(above(bound)) / total : 0);
  return {
    frac_alive: above(0).length / all.length,
    freq_over_1_percent: above(0.01).length / all.length,
    freq_over_10_percent: above(0.1).length / all.length,
    normalized_freq_over_1_percent: part(0.01),
    normalized_freq_over_10_percent: part(0.1),
  };
}
