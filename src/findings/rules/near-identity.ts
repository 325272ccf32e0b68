/**
 * More active latents than the residual stream has dimensions, and hardly any error: the code is
 * larger than what it encodes.
 */
import { cite, evaluated, sitesOf, type Rule } from '../rule.js';

/** Strict NormMSE below this is "hardly any error". */
export const nearIdentityError = 0.05;

export const nearIdentity: Rule = {
  code: 'near-identity',
  severity: 'warning',
  condition: {
    en: `L0 above d · sites, and strict NormMSE below ${nearIdentityError}`,
    zh: `L0 大于 d · 处数，且 strict NormMSE 小于 ${nearIdentityError}`,
  },
  check: (context) =>
    evaluated(context).flatMap((sae) => {
      const { L0, NormMSE } = sae.strict ?? {};
      const { d } = sae;
      if (
        !L0 ||
        !NormMSE ||
        d === null ||
        L0.mean <= d * sitesOf(sae) ||
        NormMSE.mean >= nearIdentityError
      )
        return [];
      const ratio = L0.mean / (d * sitesOf(sae));
      return [
        {
          sae: sae.label,
          message: {
            en:
              `${sae.label} is close to an identity: ${cite(L0.mean)} latents are active per ` +
              `token, ${cite(ratio)} times the width of what they encode ` +
              `(${d * sitesOf(sae)}). Its NormMSE of ${cite(NormMSE.mean)} is no sign of a ` +
              'good dictionary.',
            zh:
              `${sae.label} 接近恒等映射：每个词元有 ${cite(L0.mean)} ` +
              `个潜变量激活，是被编码宽度（${d * sitesOf(sae)}）的 ${cite(ratio)} 倍。其 NormMSE ` +
              `${cite(NormMSE.mean)} 并不说明字典良好。`,
          },
          evidence: {
            L0: L0.mean,
            L0OverHidden: L0.mean / d,
            NormMSE: NormMSE.mean,
            width: d,
            sites: sitesOf(sae),
          },
        },
      ];
    }),
};
