/** A run without intervals gets no verdict. */
import type { SummaryRule } from '../rule.js';

export const noIntervals: SummaryRule = {
  code: 'no-intervals',
  part: 'verdict',
  condition: {
    en: 'No SAE has a strict KLDivPerToken with an interval, and more than one was evaluated.',
    zh: '没有 SAE 的 strict KLDivPerToken 带有区间，且评估了不止一个 SAE。',
  },
  check: ({ results, config, data }) => {
    const working = results.filter(({ error }) => error === null);
    const hasInterval = working.some(({ strict }) => strict?.KLDivPerToken?.ci95);
    if (hasInterval || working.length < 2) return [];
    const why = !config.protocol.includes('strict')
      ? { en: 'protocol strict was not asked for', zh: '未要求 strict 协议' }
      : !config.metrics.includes('KLDiv')
        ? { en: 'KLDiv was not asked for', zh: '未要求 KLDiv 指标' }
        : data.spliceSamples !== undefined
          ? { en: 'too few samples were spliced', zh: '被替换的样本太少' }
          : { en: 'the text has too few sequences', zh: '文本的序列太少' };
    return [
      {
        saes: [],
        message: {
          en: `There is no verdict: it needs intervals of KL per token, and ${why.en}.`,
          zh: `没有结论：结论需要每词元 KL 的区间，而${why.zh}。`,
        },
        evidence: { saes: working.length },
      },
    ];
  },
};
