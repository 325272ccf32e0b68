/** A RandomK: its layer, and the meaning of its numbers. */
import { cite, evaluated, saesOf, type Rule } from '../rule.js';

export const randomkLayer: Rule = {
  code: 'randomk-layer',
  severity: 'info',
  condition: { en: 'The run has a RandomK.', zh: '运行中有 RandomK。' },
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
              `${context.config.seed}), possibly not the layer of its training` +
              `${error === null ? '' : ` (NormMSE ${cite(error)})`}. Its numbers show the cost ` +
              'of a mismatched layer. Its features are not random, so its numbers are no lower ' +
              'bound for training.',
            zh:
              `${sae.label} 是一个训练好的 TopK 字典，用在第 ${sae.layer} 层（种子 ` +
              `${context.config.seed}），该层未必是其训练层` +
              `${error === null ? '' : `（NormMSE ${cite(error)}）`}。` +
              '其数值显示层不匹配的代价；其特征并非随机，因此不能作为训练效果的下界。',
          },
          evidence: { layer: sae.layer!, seed: context.config.seed },
        };
      }),
  together: (found) => ({
    en:
      `${saesOf(found).en} are trained TopK dictionaries on layers that they may not belong to. ` +
      'Their numbers show the cost of a mismatched layer. Their features are not random, so ' +
      'their ' +
      'numbers are no lower bound for training.',
    zh:
      `${saesOf(found).zh} 是训练好的 TopK 字典，用在未必与之匹配的层上。其数值显示层不匹配的代价；` +
      '其特征并非随机，因此不能作为训练效果的下界。',
  }),
};
