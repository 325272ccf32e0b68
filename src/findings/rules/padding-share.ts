/** Padded positions change the KL under `reference`. */
import { cite, evaluated, percent, type Rule } from '../rule.js';

/** Relative difference above which the KLs differ. */
export const paddingEffect = 0.1;

export const paddingShare: Rule = {
  code: 'padding-counts',
  severity: 'warning',
  condition: {
    en:
      'An SAE is spliced at the same layer under both protocols, and its reference KLDiv differs ' +
      `from its strict KLDivPerSequence by more than ${100 * paddingEffect} %.`,
    zh:
      '某个 SAE 在两种协议下的替换层相同，而 reference KLDiv 与 strict KLDivPerSequence ' +
      `之差超过后者的 ${100 * paddingEffect} %。`,
  },
  check: (context) => {
    const { paddedTokens, realTokens } = context.data;
    if (paddedTokens === 0) return [];
    const share = paddedTokens / (paddedTokens + realTokens);
    return evaluated(context).flatMap((sae) => {
      const [reference, strict] = [
        sae.reference?.KLDiv ?? null,
        sae.strict?.KLDivPerSequence?.mean,
      ];
      if (
        sae.kind === 'MLSAE' ||
        reference === null ||
        strict === undefined ||
        Math.abs(reference - strict) <= paddingEffect * strict
      )
        return [];
      return [
        {
          sae: sae.label,
          message: {
            en:
              `Padding changes the reference KL of ${sae.label}: ${cite(reference)} nats per ` +
              `sequence with padding (${percent(share)} of the positions), ${cite(strict)} ` +
              'without.',
            zh:
              `填充改变了 ${sae.label} 的 reference KL：计入填充位置时每序列 ${cite(reference)} ` +
              `奈特（填充占 ${percent(share)}），不计入时为 ${cite(strict)}。`,
          },
          evidence: { paddedTokens, realTokens, KLDiv: reference, KLDivPerSequence: strict },
        },
      ];
    });
  },
};
