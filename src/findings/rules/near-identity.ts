/** A token has more active latents than its input has dimensions, and the error is tiny. */
import type { SaeResult } from '../../schema/index.js';
import { cite, evaluated, layersOf, saesOf, spanOf, type Rule } from '../rule.js';

/** Strict NormMSE below which an error is tiny. */
/** Whether L0 is above the width of what the latents encode, and the error is tiny. */
export function isNearIdentity(sae: SaeResult): boolean {
  const { L0, NormMSE } = sae.strict ?? {};
  return (
    sae.d !== null &&
    // An SAE that predicts another site is no identity.
    sae.hookOut === undefined &&
    (L0?.mean ?? 0) > sae.d * layersOf(sae) &&
    (NormMSE?.mean ?? Infinity) < nearIdentityError
  );
}

export const nearIdentityError = 0.05;

export const nearIdentity: Rule = {
  code: 'near-identity',
  severity: 'warning',
  condition: {
    en: `L0 is above d · layers, and strict NormMSE is below ${nearIdentityError}.`,
    zh: `L0 大于 d · 层数，且 strict NormMSE 小于 ${nearIdentityError}。`,
  },
  check: (context) =>
    evaluated(context).flatMap((sae) => {
      const { L0, NormMSE } = sae.strict ?? {};
      const { d } = sae;
      if (!L0 || !NormMSE || d === null || !isNearIdentity(sae)) return [];
      const width = d * layersOf(sae);
      const ratio = L0.mean / width;
      return [
        {
          sae: sae.label,
          message: {
            en:
              `${sae.label} is close to an identity: ${cite(L0.mean)} latents are active per ` +
              `token, ${cite(ratio)} times the width of the input (${width}). Its NormMSE of ` +
              `${cite(NormMSE.mean)} does not show a good dictionary.`,
            zh:
              `${sae.label} 接近恒等映射：每个词元激活 ${cite(L0.mean)} 个潜变量，是输入宽度` +
              `（${width}）的 ${cite(ratio)} 倍。其 NormMSE 为 ${cite(NormMSE.mean)}，并不说明字典良好。`,
          },
          evidence: {
            L0: L0.mean,
            L0OverHidden: L0.mean / d,
            NormMSE: NormMSE.mean,
            width: d,
            sites: layersOf(sae),
          },
        },
      ];
    }),
  together: (found) => ({
    en:
      `${saesOf(found).en} are close to an identity: ${spanOf(found, 'L0').en} latents are ` +
      'active ' +
      `per token, ${spanOf(found, 'L0OverHidden').en} times the width of the residual stream. ` +
      'Their ' +
      'small errors do not show good dictionaries.',
    zh:
      `${saesOf(found).zh} 接近恒等映射：每词元激活 ${spanOf(found, 'L0').zh} 个潜变量，是残差流宽度的 ` +
      `${spanOf(found, 'L0OverHidden').zh} 倍。其误差小并不说明字典良好。`,
  }),
};
