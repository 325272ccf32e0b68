/** The replacement model of a cross-layer SAE: all its layers predicted together. */
import { cite, percent } from '../../findings/rule.js';
import { placeOf } from '../../findings/place.js';
import type { SummaryRule } from '../rule.js';

export const replacementModel: SummaryRule = {
  code: 'replacement-model',
  part: 'verdict',
  condition: {
    en:
      'A cross-layer transcoder or weakly causal crosscoder has a KLDivPerToken of its ' +
      'replacement model, and strict ones of its layers alone.',
    zh: '跨层转码器或弱因果交叉编码器有替换模型的 KLDivPerToken，以及各层单独替换的 strict 值。',
  },
  check: ({ results }) =>
    results.flatMap((sae) => {
      const kl = sae.replacement?.KLDivPerToken?.mean;
      const alone = sae.strict?.KLDivPerToken?.mean;
      if (sae.error !== null || kl === undefined || alone === undefined) return [];
      const place = placeOf(sae);
      const agreement = sae.replacement?.NextTokenAgreement?.mean;
      const count = sae.layers?.length ?? 0;
      const agrees = (lang: 'en' | 'zh'): string =>
        agreement === undefined
          ? ''
          : lang === 'en'
            ? `, and at ${percent(agreement)} of tokens the most likely next token stays`
            : `，${percent(agreement, 'zh')} 的词元上最可能的下一词元不变`;
      return [
        {
          saes: [sae.label],
          message: {
            en:
              `${sae.label} replaces ${place.en} (${count} in all): all together KL is ` +
              `${cite(kl)} nats per token${agrees('en')}; one alone, ${cite(alone)} on average.`,
            zh:
              `${sae.label} 替换${place.zh}（共 ${count} 层）：全部一起替换时每词元 KL 为 ${cite(kl)} ` +
              `奈特${agrees('zh')}；单层替换平均为 ${cite(alone)}。`,
          },
          evidence: {
            KLDivPerToken: kl,
            'KLDivPerToken alone': alone,
            layers: count,
            ...(agreement === undefined ? {} : { NextTokenAgreement: agreement }),
          },
        },
      ];
    }),
};
