/** Special tokens that carry far more of the error, or of L0, than their number explains. */
import { evaluated, percent, saesOf, type Rule } from '../rule.js';

/** Share of the error or of L0, against the share of tokens, above which it is said. */
const times = 10;

export const specialsDominate: Rule = {
  code: 'specials-dominate',
  severity: 'warning',
  condition: {
    en:
      'Under strict, special tokens count, and their share of Σ‖x̂ − x‖² or of the active ' +
      `latents is more than ${times} times their share of real tokens.`,
    zh:
      'strict 协议下特殊词元计入，且其在 Σ‖x̂ − x‖² 或激活潜变量中的占比超过其在真实词元中占比的 ' +
      `${times} 倍。`,
  },
  check: (context) =>
    evaluated(context).flatMap(({ label, specials }) => {
      if (specials === undefined || specials === null || specials.tokens === 0) return [];
      const shares = [
        {
          key: 'squaredError',
          share: specials.squaredError,
          en: 'the squared error',
          zh: '误差平方',
        },
        {
          key: 'activeLatents',
          share: specials.activeLatents,
          en: 'the active latents',
          zh: '激活潜变量',
        },
      ].flatMap(({ share, ...name }) =>
        share !== null && share > times * specials.tokens ? [{ share, ...name }] : [],
      );
      if (shares.length === 0) return [];
      const parts = (language: 'en' | 'zh'): string[] =>
        shares.map(({ share, ...name }) =>
          language === 'en'
            ? `${percent(share)} of ${name.en}`
            : `${name.zh}的 ${percent(share, 'zh')}`,
        );
      return [
        {
          sae: label,
          message: {
            en:
              `For ${label}, special tokens are ${percent(specials.tokens)} of the tokens and ` +
              `${parts('en').join(' and ')}. An SAE that was trained without them is judged by ` +
              'them here: exclude: "specials" leaves them out.',
            zh:
              `对 ${label}，特殊词元占词元的 ${percent(specials.tokens, 'zh')}，却占` +
              `${parts('zh').join('、')}。若该 SAE 训练时不含它们，请用 exclude: "specials" 排除。`,
          },
          evidence: {
            tokens: specials.tokens,
            ...Object.fromEntries(shares.map(({ share, key }) => [key, share])),
          },
        },
      ];
    }),
  together: (found) => ({
    en:
      `For ${saesOf(found).en}, special tokens are ` +
      `${percent(Number(found[0]!.evidence['tokens']))} ` +
      `of the tokens but more than ${times} times that share of the squared error or of the ` +
      'active ' +
      'latents. SAEs that were trained without them are judged by them here: exclude: "specials" ' +
      'leaves them out.',
    zh:
      `对 ${saesOf(found).zh}，特殊词元只占词元的 ` +
      `${percent(Number(found[0]!.evidence['tokens']), 'zh')}，在误差平方或激活潜变量中的占比却超过其 ` +
      `${times} 倍。若这些 SAE 训练时不含特殊词元，请用 exclude: "specials" 排除。`,
  }),
};
