/** The baseline on a mismatched layer has a smaller KL than a trained SAE. */
import { cite, evaluated, saesOf, spanOf, type Rule } from '../rule.js';

export const baselineWins: Rule = {
  code: 'baseline-beats-model',
  severity: 'warning',
  condition: {
    en: 'Under strict, a RandomK has a smaller KLDivPerToken than an SAE of another kind.',
    zh: 'strict 协议下，RandomK 的 KLDivPerToken 小于其他类型的 SAE。',
  },
  check: (context) => {
    const all = evaluated(context).flatMap(({ label, kind, strict }) =>
      strict?.KLDivPerToken ? [{ label, kind, kl: strict.KLDivPerToken.mean }] : [],
    );
    return all
      .filter(({ kind }) => kind === 'RandomK')
      .flatMap((baseline) =>
        all
          .filter(({ kind, kl }) => kind !== 'RandomK' && baseline.kl < kl)
          .map((model) => ({
            sae: model.label,
            message: {
              en:
                `The baseline ${baseline.label} changes predictions less than ${model.label}: KL ` +
                `per token ${cite(baseline.kl)} against ${cite(model.kl)}.`,
              zh:
                `基线 ${baseline.label} 对模型预测的改变小于 ${model.label}：每词元 KL 分别为 ` +
                `${cite(baseline.kl)} 与 ${cite(model.kl)}。`,
            },
            evidence: { baseline: baseline.kl, KLDivPerToken: model.kl },
          })),
      );
  },
  together: (found) => ({
    en:
      `The baseline (KL per token ${spanOf(found, 'baseline').en}) changes predictions less than ` +
      `${saesOf(found).en} (${spanOf(found, 'KLDivPerToken').en}).`,
    zh:
      `基线（每词元 KL ${spanOf(found, 'baseline').zh}）对模型预测的影响小于 ${saesOf(found).zh}` +
      `（${spanOf(found, 'KLDivPerToken').zh}）。`,
  }),
};
