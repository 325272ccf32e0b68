/** Padded positions that move `reference`'s KL. */
import { cite, evaluated, percent, type Rule } from '../rule.js';

export const paddingEffect = 0.1;

export const paddingShare: Rule = {
  code: 'padding-counts',
  severity: 'warning',
  condition: {
    en:
      'both protocols; a kind spliced at the same place under both; reference KLDiv differs ' +
      `from strict KLDivPerSequence by more than ${paddingEffect} of it`,
    zh: `两种协议；两种协议下替换位置相同的类型；reference KLDiv 与 strict KLDivPerSequence 之差超过后者的 ${paddingEffect}`,
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
              `Padding moves the reference KL of ${sae.label}: ${cite(reference)} nats per ` +
              `sequence with the ${percent(share)} of positions that are padding, ` +
              `${cite(strict)} without them.`,
            zh:
              `填充改变了 ${sae.label} 的 reference KL：计入占 ${percent(share)} 的填充位置时每序列 ` +
              `${cite(reference)} 奈特，不计入时 ${cite(strict)}。`,
          },
          evidence: { paddedTokens, realTokens, KLDiv: reference, KLDivPerSequence: strict },
        },
      ];
    });
  },
};
