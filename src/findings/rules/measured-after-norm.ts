/** At the last layer `reference` measures after the final norm and splices before it. */
import { atLastLayer, cite, evaluated, saesOf, type Rule } from '../rule.js';

export const measuredAfterNorm: Rule = {
  code: 'measured-here-spliced-there',
  severity: 'warning',
  condition: {
    en: 'Under reference, a single-layer kind is at layer L.',
    zh: 'reference 协议下，单层类型位于第 L 层。',
  },
  check: (context) =>
    evaluated(context).flatMap((sae) => {
      const error = sae.reference?.NormMSE ?? null;
      if (error === null || !atLastLayer(sae, context)) return [];
      const strict = sae.strict?.NormMSE?.mean;
      return [
        {
          sae: sae.label,
          message: {
            en:
              `Under reference, ${sae.label} at layer ${sae.layer} is measured after the final ` +
              `norm (NormMSE ${cite(error)}) but spliced before the norm` +
              (strict === undefined ? '' : ` (NormMSE ${cite(strict)} over real tokens)`) +
              ', so its NormMSE and its KL describe different vectors.',
            zh:
              `在 reference 协议下，第 ${sae.layer} 层的 ${sae.label} 在最终归一化之后测量（NormMSE ` +
              `${cite(error)}），却在归一化之前替换` +
              (strict === undefined ? '' : `（真实词元上的 NormMSE 为 ${cite(strict)}）`) +
              '，因此 NormMSE 与 KL 描述的是不同的向量。',
          },
          evidence: {
            layer: sae.layer!,
            NormMSE: error,
            ...(strict === undefined ? {} : { strictNormMSE: strict }),
          },
        },
      ];
    }),
  together: (found) => ({
    en:
      `Under reference, ${saesOf(found).en} are measured after the final norm but spliced before ` +
      'it, at the last layer: their NormMSE and their KL describe different vectors.',
    zh:
      `在 reference 协议下，位于最后一层的 ${saesOf(found).zh} 在最终归一化之后测量，却在归一化之前` +
      '替换：其 NormMSE 与 KL 描述的是不同的向量。',
  }),
};
