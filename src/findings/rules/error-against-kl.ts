/** Reconstruction error and KL rank two SAEs differently. */
import { namesIn } from '../names.js';
import { cite, evaluated, type Rule } from '../rule.js';

/** Factor by which one SAE must be better in one metric and worse in the other. */
export const rankFactor = 1.25;

export const errorAgainstKl: Rule = {
  code: 'error-against-kl',
  severity: 'warning',
  condition: {
    en:
      'Under strict, an SAE has a NormMSE at least ' +
      `${rankFactor} times smaller and a KLDivPerToken at least ${rankFactor} times larger than ` +
      'another SAE with the same normalization.',
    zh:
      'strict 协议下，归一化方式相同的两个 SAE 中，一个的 NormMSE 不超过另一个的 ' +
      `1/${rankFactor}，而 KLDivPerToken 至少为其 ${rankFactor} 倍。`,
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
              `token ${cite(a.kl)} against ${cite(b.kl)}): a small error can do more harm than a ` +
              'large one.',
            zh:
              `${a.label} 的重建优于 ${b.label}（NormMSE 分别为 ${cite(a.error)} 与 ` +
              `${cite(b.error)}），对模型预测的改变却更大（每词元 KL 分别为 ${cite(a.kl)} 与 ` +
              `${cite(b.kl)}）：误差小不等于影响小。`,
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
  together: (found) => {
    const pairs = found.map(({ sae, evidence }) => [sae, evidence['other']]);
    return {
      en:
        'These SAEs reconstruct better than others and still change predictions more: ' +
        `${namesIn(
          'en',
          pairs.map(([a, b]) => `${a} than ${b}`),
        )}. A small error can do more harm ` +
        'than a large one.',
      zh:
        `以下 SAE 重建更好，对模型预测的影响却更大：` +
        `${namesIn(
          'zh',
          pairs.map(([a, b]) => `${a} 与 ${b} 相比`),
        )}。误差小不等于影响小。`,
    };
  },
};
