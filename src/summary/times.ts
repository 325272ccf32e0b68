/** Ratios of KL as sentences have them. */
import type { Bilingual } from '../bilingual.js';
import { cite } from '../findings/rule.js';
import type { Against } from './reading.js';

/** A ratio with three significant digits. */
const three = (value: number): string => cite(Number(value.toPrecision(3)));

const within = (ci95: readonly [number, number] | null): string =>
  ci95 === null ? '' : ` [${three(ci95[0])}, ${three(ci95[1])}]`;

/** How many times smaller, with the interval: the inverse of `ratio`. */
export function timesSmaller({ ratio, ratioCi95 }: Against): string {
  return (
    three(1 / ratio) + within(ratioCi95 === null ? null : [1 / ratioCi95[1], 1 / ratioCi95[0]])
  );
}

/** How many times larger, with the interval. */
export const timesLarger = ({ ratio, ratioCi95 }: Against): string =>
  three(ratio) + within(ratioCi95);

/**
 * The KL of one SAE against that of another as a clause, such as `is 1.56 [1.5, 1.62] times smaller
 * than that of TopK`.
 *
 * @param other the other SAE, with its place.
 */
export function klAgainst(other: Bilingual, found: Against): Bilingual {
  switch (found.order) {
    case 'less':
      return {
        en: `is ${timesSmaller(found)} times smaller than that of ${other.en}`,
        zh: `低于 ${other.zh}，后者是其 ${timesSmaller(found)} 倍`,
      };
    case 'more':
      return {
        en: `is ${timesLarger(found)} times larger than that of ${other.en}`,
        zh: `高于 ${other.zh}，是其 ${timesLarger(found)} 倍`,
      };
    case 'open':
      return {
        en: `cannot be told from that of ${other.en}: the interval of the difference contains 0`,
        zh: `与 ${other.zh} 无法区分：差异的区间包含 0`,
      };
  }
}
