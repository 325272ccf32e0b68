/** The norms of reconstruction and input differ: a wrong scale or a missing normalization. */
import { cite, evaluated, saesOf, spanOf, type Rule } from '../rule.js';

export const lowestRatio = 0.5;
export const highestRatio = 1.5;

export const scaleMismatch: Rule = {
  code: 'scale-mismatch',
  severity: 'warning',
  condition: {
    en:
      `Strict NormRatio is below ${lowestRatio} or above ${highestRatio}, without inferK and ` +
      'theta.',
    zh: `strict NormRatio 小于 ${lowestRatio} 或大于 ${highestRatio}，且未使用 inferK 或 theta。`,
  },
  check: (context) => {
    const { inferK, theta } = context.config;
    if (typeof inferK === 'number' || typeof theta === 'number') return [];
    return evaluated(context).flatMap((sae) => {
      const ratio = sae.strict?.NormRatio;
      if (!ratio || (ratio.mean >= lowestRatio && ratio.mean <= highestRatio)) return [];
      return [
        {
          sae: sae.label,
          message: {
            en:
              `The reconstructions of ${sae.label} have ${cite(ratio.mean)} times the norm of ` +
              'their inputs: the SAE was probably trained with another scale or normalization.',
            zh: `${sae.label} 的重建范数是输入范数的 ${cite(ratio.mean)} 倍：其训练时的尺度或归一化可能与评估时不同。`,
          },
          evidence: { NormRatio: ratio.mean },
        },
      ];
    });
  },
  together: (found) => ({
    en:
      `The reconstructions of ${saesOf(found).en} have ${spanOf(found, 'NormRatio').en} times ` +
      'the ' +
      'norm of their inputs: these SAEs were probably trained with another scale or normalization.',
    zh:
      `${saesOf(found).zh} 的重建范数是输入范数的 ${spanOf(found, 'NormRatio').zh} ` +
      '倍：其训练时的尺度或归一化可能与评估时不同。',
  }),
};
