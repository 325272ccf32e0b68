/** The paired interval of a difference contains 0. */
import type { Finding } from '../../schema/index.js';
import { namesIn } from '../names.js';
import { cite, type Rule } from '../rule.js';

export const insideNoise: Rule = {
  code: 'inside-noise',
  severity: 'info',
  condition: {
    en:
      'Under strict, the paired 95 % interval of a difference in KLDivPerToken or NormMSE ' +
      'contains 0.',
    zh: 'strict 协议下，KLDivPerToken 或 NormMSE 之差的配对 95% 区间包含 0。',
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
            `在该文本上，${metric} 无法区分 ${a} 与 ${b}：两者之差为 ${cite(difference)}，其 95% 区间 ` +
            `[${cite(ci95![0])}, ${cite(ci95![1])}] 包含 0。`,
        },
        evidence: { metric, a, b, difference, low: ci95![0], high: ci95![1] },
      })),
  together: (found) => {
    const ofMetric = (metric: string): Finding[] =>
      found.filter(({ evidence }) => evidence['metric'] === metric);
    const counts = ['KLDivPerToken', 'NormMSE']
      .map((metric) => ({ metric, pairs: ofMetric(metric) }))
      .filter(({ pairs }) => pairs.length > 0);
    return {
      en:
        `${namesIn(
          'en',
          counts.map(({ metric, pairs }) => `${pairs.length} pairs by ${metric}`),
        )} ` +
        'cannot be told apart on this text: the 95 % intervals of their differences contain 0. ' +
        'The section on differences lists them.',
      zh:
        `${namesIn(
          'zh',
          counts.map(({ metric, pairs }) => `按 ${metric} 有 ${pairs.length} 对`),
        )} ` +
        'SAE 在该文本上差异不显著（95% 区间包含 0），无法判定优劣；“SAE 之间的差异”一节列出它们。',
    };
  },
};
