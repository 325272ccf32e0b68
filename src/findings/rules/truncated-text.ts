/** Chunks of seqLen words have more than seqLen tokens, so that text is lost. */
import { percent, type Rule } from '../rule.js';

export const truncatedShare = 0.05;

export const truncatedText: Rule = {
  code: 'truncated-text',
  severity: 'info',
  condition: {
    en: `At least ${100 * truncatedShare} % of the tokens of the chunks are cut off.`,
    zh: `被截去的词元不少于各段全部词元的 ${100 * truncatedShare}%。`,
  },
  check: ({ data, config }) => {
    const share = data.truncatedTokens / Math.max(data.truncatedTokens + data.realTokens, 1);
    if (share < truncatedShare) return [];
    return [
      {
        sae: null,
        message: {
          en:
            `${data.truncatedTokens} tokens (${percent(share)}) were cut off: a chunk has ` +
            `${config.dataset.seqLen} words, and often more than ${config.dataset.seqLen} tokens.`,
          zh:
            `有 ${data.truncatedTokens} 个词元（${percent(share, 'zh')}）被截去：每段有 ` +
            `${config.dataset.seqLen} 个单词，往往多于 ${config.dataset.seqLen} 个词元。`,
        },
        evidence: { truncatedTokens: data.truncatedTokens, realTokens: data.realTokens },
      },
    ];
  },
};
