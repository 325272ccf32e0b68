/** The SAEs of a result as the statements of a summary compare them. */
import { isNearIdentity } from '../findings/rules/near-identity.js';
import type { EvaluationResult, SaeResult } from '../schema/index.js';

/** The part of a result that a summary is made from. */
export type SummaryContext = Pick<
  EvaluationResult,
  'config' | 'data' | 'results' | 'comparisons' | 'findings'
>;

/** An SAE with the numbers that the statements compare. */
export interface Measured {
  sae: SaeResult;
  label: string;
  /** KL per token, in nats. */
  kl: number;
  klCi95: readonly [number, number] | null;
  /** Active latents per token. */
  l0: number | null;
  isBaseline: boolean;
  isNearIdentity: boolean;
}

/** The order of two values by the interval of their difference; `open`: it contains 0. */
export type Order = 'less' | 'more' | 'open';

/** KL of one SAE against that of another. */
export interface Against {
  order: Order;
  /** The KL of the first over that of the second. */
  ratio: number;
  ratioCi95: readonly [number, number] | null;
}

/** SAEs of which KL per token was measured. */
export function measuredIn({ results }: SummaryContext): Measured[] {
  return results.flatMap((sae): Measured[] => {
    const kl = sae.error === null ? (sae.strict?.KLDivPerToken ?? null) : null;
    return kl === null
      ? []
      : [
          {
            sae,
            label: sae.label,
            kl: kl.mean,
            klCi95: kl.ci95 ?? null,
            l0: sae.strict?.L0?.mean ?? null,
            isBaseline: sae.kind === 'RandomK',
            isNearIdentity: isNearIdentity(sae),
          },
        ];
  });
}

/** Those of which a statement may say something good or bad by KL: trained, no near-identity. */
export const trained = (measured: readonly Measured[]): Measured[] =>
  measured.filter((one) => !one.isBaseline && !one.isNearIdentity);

/** Relative difference up to which two L0 count as the same. */
export const sameL0Within = 0.05;

/** Whether two SAEs have about as many active latents per token. */
export const haveSameL0 = (a: Measured, b: Measured): boolean =>
  a.l0 !== null && b.l0 !== null && Math.abs(a.l0 - b.l0) <= sameL0Within * Math.min(a.l0, b.l0);

/**
 * The KL of `a` against that of `b`: by the paired interval, or, if the run did not compare the
 * pair, by whether their own intervals lie apart.
 */
export function against({ comparisons }: SummaryContext, a: Measured, b: Measured): Against {
  const ratio = a.kl / b.kl;
  const pair = comparisons.find(
    (one) =>
      one.metric === 'KLDivPerToken' &&
      ((one.a === a.label && one.b === b.label) || (one.a === b.label && one.b === a.label)),
  );
  const isForward = pair?.a === a.label;
  if (pair?.ci95) {
    const [low, high] = isForward ? pair.ci95 : [-pair.ci95[1], -pair.ci95[0]];
    const given = pair.ratioCi95;
    return {
      order: high < 0 ? 'less' : low > 0 ? 'more' : 'open',
      ratio,
      ratioCi95:
        given === undefined ? null : isForward ? given : ([1 / given[1], 1 / given[0]] as const),
    };
  }
  const apart = (one: Measured, other: Measured): boolean =>
    one.klCi95 !== null && other.klCi95 !== null && one.klCi95[1] < other.klCi95[0];
  return { order: apart(a, b) ? 'less' : apart(b, a) ? 'more' : 'open', ratio, ratioCi95: null };
}

/** Trained SAEs against one baseline. */
export interface Standing {
  baseline: Measured;
  /** Each trained SAE that is no near-identity, with its KL against that of the baseline. */
  others: { one: Measured; found: Against }[];
}

/** The standing of each baseline; empty if there is nothing to compare with it. */
export function standingsOf(context: SummaryContext): Standing[] {
  const measured = measuredIn(context);
  const others = trained(measured);
  if (others.length === 0) return [];
  return measured
    .filter(({ isBaseline }) => isBaseline)
    .map((baseline) => ({
      baseline,
      others: others.map((one) => ({ one, found: against(context, one, baseline) })),
    }));
}

/** Those of which the intervals do not show less KL than the baseline has. */
export const notAhead = ({ others }: Standing): Measured[] =>
  others.filter(({ found }) => found.order !== 'less').map(({ one }) => one);
