/**
 * A small reconstruction error with a large KL, or the reverse: the two rank the SAEs differently.
 */
import { cite, evaluated, type Rule } from '../rule.js';

/** By how much one SAE must be better in one metric and worse in the other than another SAE. */
export const rankFactor = 1.25;

export const errorAgainstKl: Rule = {
  code: 'error-against-kl',
  severity: 'warning',
  condition: {
    en:
      'strict; of two SAEs with the same normalization, one has NormMSE at least ' +
      `${rankFactor} times smaller and KLDivPerToken at least ${rankFactor} times larger`,
    zh:
      `strict；归一化方式相同的两个 SAE 中，一个的 NormMSE 至少小 ${rankFactor} 倍，而 KLDivPerToken 至少大 ` +
      `${rankFactor} 倍`,
  },
  check: (context) => {
    const all = evaluated(context).flatMap(({ label, normalization, strict }) =>
      strict?.NormMSE && strict.KLDivPerToken
        ? [{ label, normalization, error: strict.NormMSE.mean, kl: strict.KLDivPerToken.mean }]
        : [],
    );
    return all.flatMap((a) =>
      all
        .filter(
          (b) =>
            a.normalization === b.normalization &&
            a.error < b.error &&
            a.error * rankFactor <= b.error &&
            a.kl > 0 &&
            a.kl >= rankFactor * b.kl,
        )
        .map((b) => ({
          sae: a.label,
          message: {
            en:
              `${a.label} reconstructs better than ${b.label} (NormMSE ${cite(a.error)} ` +
              `against ${cite(b.error)}) but changes the model's predictions more (KL per ` +
              `token ${cite(a.kl)} against ${cite(b.kl)}): a small error is not the same as ` +
              'a harmless one.',
            zh:
              `${a.label} 的重建优于 ${b.label}（NormMSE ${cite(a.error)} 对 ` +
              `${cite(b.error)}），却更多地改变模型的预测（每词元 KL ${cite(a.kl)} 对 ${cite(b.kl)}）：误差小不等于无害。`,
          },
          evidence: {
            NormMSE: a.error,
            KLDivPerToken: a.kl,
            otherNormMSE: b.error,
            otherKLDivPerToken: b.kl,
            other: b.label,
          },
        })),
    );
  },
};
