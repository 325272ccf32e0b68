/** Differences whose paired interval contains 0. */
import { cite, type Rule } from '../rule.js';

export const insideNoise: Rule = {
  code: 'inside-noise',
  severity: 'info',
  condition: {
    en: 'strict; the paired 95 % interval of a difference in KLDivPerToken or NormMSE contains 0',
    zh: 'strict；KLDivPerToken 或 NormMSE 之差的配对 95 % 区间包含 0',
  },
  check: ({ comparisons }) =>
    comparisons
      .filter(
        ({ metric, ci95 }) =>
          (metric === 'KLDivPerToken' || metric === 'NormMSE') &&
          ci95 !== null &&
          ci95[0] <= 0 &&
          ci95[1] >= 0,
      )
      .map(({ metric, a, b, difference, ci95 }) => ({
        sae: null,
        message: {
          en:
            `${a} and ${b} cannot be told apart by ${metric} on this text: the difference is ` +
            `${cite(difference)}, its 95 % interval [${cite(ci95![0])}, ${cite(ci95![1])}] ` +
            'contains 0.',
          zh:
            `在该文本上无法用 ${metric} 区分 ${a} 与 ${b}：差为 ${cite(difference)}，其 95 % 区间 ` +
            `[${cite(ci95![0])}, ${cite(ci95![1])}] 包含 0。`,
        },
        evidence: { metric, a, b, difference, low: ci95![0], high: ci95![1] },
      })),
};
