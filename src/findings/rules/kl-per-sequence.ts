/** KL per sequence grows with the sequence length; the finding gives the KL per token. */
import { cite, evaluated, type Rule } from '../rule.js';

export const klPerSequence: Rule = {
  code: 'kl-per-sequence',
  severity: 'info',
  condition: {
    en: 'An SAE has a KL under both protocols.',
    zh: '有 SAE 在两种协议下都有 KL。',
  },
  check: (context) => {
    const both = evaluated(context).flatMap(({ label, reference, strict }) =>
      typeof reference?.KLDiv === 'number' && strict?.KLDivPerToken
        ? [{ label, kl: reference.KLDiv, token: strict.KLDivPerToken.mean }]
        : [],
    );
    const [first] = both;
    if (first === undefined) return [];
    const { seqLen } = context.config.dataset;
    return [
      {
        sae: null,
        message: {
          en:
            `reference sums KL over a sequence of ${seqLen} positions, so its KL grows with the ` +
            'sequence length: ' +
            both
              .map(
                ({ label, kl, token }) =>
                  `${label} ${cite(kl)} nats per sequence, ${cite(token)} per real token`,
              )
              .join('; ') +
            '.',
          zh:
            `reference 协议在 ${seqLen} 个位置的序列上对 KL 求和，因此其 KL 随序列长度增长：` +
            both
              .map(
                ({ label, kl, token }) =>
                  `${label} 每序列 ${cite(kl)} 奈特，每真实词元 ${cite(token)}`,
              )
              .join('；') +
            '。',
        },
        evidence: {
          seqLen,
          ...Object.fromEntries(both.map(({ label, token }) => [`KLDivPerToken ${label}`, token])),
        },
      },
    ];
  },
};
