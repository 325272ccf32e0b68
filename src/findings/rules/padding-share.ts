/** Padded positions change the KL, ΔCE and loss recovered under `reference`. */
import type { SaeResult } from '../../schema/index.js';
import { cite, evaluated, percent, saesOf, type Rule } from '../rule.js';

/** Relative difference above which two values differ. */
export const paddingEffect = 0.1;

/** A value of both protocols that padding changes. */
interface Changed {
  key: string;
  en: string;
  zh: string;
  reference: number;
  strict: number;
}

/** KL, ΔCE and loss recovered, as far as padding changes them by more than the limit. */
function changedIn({ reference, strict }: SaeResult): Changed[] {
  const values = [
    {
      ...{ key: 'KLDiv', en: 'KL per sequence', zh: '每序列 KL' },
      reference: reference?.KLDiv,
      strict: strict?.KLDivPerSequence?.mean,
    },
    {
      ...{ key: 'DeltaCE', en: 'ΔCE', zh: 'ΔCE' },
      reference: reference?.DeltaCE,
      strict: strict?.DeltaCE?.mean,
    },
    {
      ...{ key: 'Recovered', en: 'loss recovered', zh: '损失恢复率' },
      reference: reference?.Recovered,
      strict: strict?.Recovered?.mean,
    },
  ];
  return values.flatMap((one) => {
    const { reference: padded, strict: real } = one;
    return padded === null ||
      padded === undefined ||
      real === undefined ||
      Math.abs(padded - real) <= paddingEffect * Math.abs(real)
      ? []
      : [{ ...one, reference: padded, strict: real }];
  });
}

export const paddingShare: Rule = {
  code: 'padding-counts',
  severity: 'warning',
  condition: {
    en:
      'An SAE is spliced at the same layer under both protocols, and its reference KLDiv, ' +
      'DeltaCE ' +
      'or Recovered differs from its strict KLDivPerSequence, DeltaCE or Recovered by more than ' +
      `${100 * paddingEffect} %.`,
    zh:
      '某个 SAE 在两种协议下的替换层相同，而 reference 的 KLDiv、DeltaCE 或 Recovered 与 strict 的 ' +
      `KLDivPerSequence、DeltaCE 或 Recovered 之差超过后者的 ${100 * paddingEffect}%。`,
  },
  check: (context) => {
    const { paddedTokens, realTokens } = context.data;
    if (paddedTokens === 0) return [];
    const share = paddedTokens / (paddedTokens + realTokens);
    return evaluated(context).flatMap((sae) => {
      const changed = sae.kind === 'MLSAE' ? [] : changedIn(sae);
      if (changed.length === 0) return [];
      const values = (lang: 'en' | 'zh'): string[] =>
        changed.map((one) =>
          lang === 'en'
            ? `${one.en} ${cite(one.reference)} with padding, ${cite(one.strict)} without`
            : `${one.zh}计入填充时为 ${cite(one.reference)}，不计入时为 ${cite(one.strict)}`,
        );
      return [
        {
          sae: sae.label,
          message: {
            en:
              `Padding (${percent(share)} of the positions) changes the reference values of ` +
              `${sae.label}: ${values('en').join('; ')}.`,
            zh:
              `填充（占位置的 ${percent(share, 'zh')}）改变了 ${sae.label} 的 reference 数值：` +
              `${values('zh').join('；')}。`,
          },
          evidence: {
            paddedTokens,
            realTokens,
            ...Object.fromEntries(
              changed.flatMap(({ key, reference, strict }) => [
                [key, reference],
                [key === 'KLDiv' ? 'KLDivPerSequence' : `strict${key}`, strict],
              ]),
            ),
          },
        },
      ];
    });
  },
  together: (found) => {
    const { paddedTokens, realTokens } = found[0]!.evidence;
    const share = Number(paddedTokens) / (Number(paddedTokens) + Number(realTokens));
    return {
      en:
        `Padding (${percent(share)} of the positions) changes the reference KL, ΔCE or loss ` +
        `recovered of ${saesOf(found).en} by more than ${100 * paddingEffect} %: a negative ΔCE ` +
        'or ' +
        'a ΔCE behind the baseline can come from it. Read strict for these.',
      zh:
        `填充（占位置的 ${percent(share, 'zh')}）使 ${saesOf(found).zh} 的 reference KL、ΔCE 或损失恢复率` +
        `改变超过 ${100 * paddingEffect}%：负的 ΔCE 或差于基线的 ΔCE 可能由此而来，应以 strict 为准。`,
    };
  },
};
