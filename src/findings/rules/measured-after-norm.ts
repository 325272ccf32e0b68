/** `reference` at the last layer: measured after the final norm, spliced before it. */
import { atLastLayer, cite, evaluated, type Rule } from '../rule.js';

export const measuredAfterNorm: Rule = {
  code: 'measured-here-spliced-there',
  severity: 'warning',
  condition: {
    en: 'protocol reference; a single-layer kind at layer L',
    zh: 'reference 协议；单层类型位于第 L 层',
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
              `Under reference, ${sae.label} at layer ${sae.layer} is measured after the ` +
              `final norm (NormMSE ${cite(error)}) but spliced before ` +
              'it' +
              (strict === undefined
                ? ''
                : `, where its NormMSE over real tokens is ${cite(strict)}`) +
              ': its NormMSE and its KL are about different vectors.',
            zh:
              `在 reference 协议下，第 ${sae.layer} 层的 ${sae.label} 在最终归一化之后测量（NormMSE ` +
              `${cite(error)}），却在其之前替换${strict === undefined ? '' : `，该处真实词元上的 NormMSE 为 ${cite(strict)}`}：NormMSE ` +
              '与 KL 针对不同的向量。',
          },
          evidence: {
            layer: sae.layer!,
            NormMSE: error,
            ...(strict === undefined ? {} : { strictNormMSE: strict }),
          },
        },
      ];
    }),
};
