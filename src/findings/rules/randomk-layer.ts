/** What RandomK's layer is, and what its numbers do and do not show. */
import { evaluated, cite, type Rule } from '../rule.js';

export const randomkLayer: Rule = {
  code: 'randomk-layer',
  severity: 'info',
  condition: { en: 'a RandomK', zh: '有 RandomK' },
  check: (context) =>
    evaluated(context)
      .filter(({ kind }) => kind === 'RandomK')
      .map((sae) => {
        const error = sae.strict?.NormMSE?.mean ?? sae.reference?.NormMSE ?? null;
        return {
          sae: sae.label,
          message: {
            en:
              `${sae.label} is a trained TopK dictionary on layer ${sae.layer} (seed ` +
              `${context.config.seed}), a layer it may not have been trained ` +
              `on${error === null ? '' : ` (NormMSE ${cite(error)})`}. It shows what a ` +
              'mismatched layer costs; its features are not random, so it is no lower bound ' +
              'on what training achieves.',
            zh:
              `${sae.label} 是一个训练好的 TopK 字典，用在第 ${sae.layer} 层（种子 ` +
              `${context.config.seed}），它可能并非在该层训练${error === null ? '' : `（NormMSE ${cite(error)}）`}。它显示层不匹配的代价；其特征并非随机，因此不是训练效果的下界。`,
          },
          evidence: { layer: sae.layer!, seed: context.config.seed },
        };
      }),
};
