/** The paired interval of a difference contains 0. */
import { cite, type Rule } from '../rule.js';

export const insideNoise: Rule = {
  code: 'inside-noise',
  severity: 'info',
  condition: {
    en:
      'Under strict, the paired 95 % interval of a difference in KLDivPerToken or NormMSE ' +
      'contains 0.',
    zh: 'strict 协议下，KLDivPerToken 或 NormMSE 之差的配对 95 % 区间包含 0。',
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
            `${metric} cannot tell ${a} and ${b} apart on this text: the 95 % interval of their ` +
            `difference of ${cite(difference)}, [${cite(ci95![0])}, ${cite(ci95![1])}], contains ` +
            '0.',
          zh:
            `在该文本上，${metric} 无法区分 ${a} 与 ${b}：两者之差为 ${cite(difference)}，其 95 % 区间 ` +
            `[${cite(ci95![0])}, ${cite(ci95![1])}] 包含 0。`,
        },
        evidence: { metric, a, b, difference, low: ci95![0], high: ci95![1] },
      })),
};
