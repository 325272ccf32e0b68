/** Pairs of two kinds with the same L0: the best of each kind at each L0. */
import type { SaeKind } from '../schema/index.js';
import { haveSameL0, type Measured } from './reading.js';

const best = (list: readonly Measured[]): Measured => list.reduce((a, b) => (b.kl < a.kl ? b : a));

/**
 * For each L0 that SAEs of both kinds have, the one with the smallest KL of each kind; at most
 * three pairs, from the smallest L0 on.
 */
export function sameL0Pairs(
  measured: readonly Measured[],
  [first, second]: readonly [SaeKind, SaeKind],
): [Measured, Measured][] {
  const of = (kind: SaeKind): Measured[] =>
    measured
      .filter((one) => one.sae.kind === kind && one.l0 !== null)
      .toSorted((a, b) => a.l0! - b.l0!);
  const pairs: [Measured, Measured][] = [];
  let left = of(first);
  while (left.length > 0 && pairs.length < 3) {
    const alike = left.filter((one) => haveSameL0(one, left[0]!));
    left = left.filter((one) => !alike.includes(one));
    const others = of(second).filter((one) => haveSameL0(one, alike[0]!));
    if (others.length > 0) pairs.push([best(alike), best(others)]);
  }
  return pairs;
}
