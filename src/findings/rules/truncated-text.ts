/** Text lost because a chunk of seqLen words has more than seqLen tokens. */
import { percent, type Rule } from '../rule.js';

export const truncatedShare = 0.05;

export const truncatedText: Rule = {
  code: 'truncated-text',
  severity: 'info',
  condition: {
    en: `truncated tokens at least ${truncatedShare} of all tokens of the chunks`,
    zh: `截断的词元不少于各段全部词元的 ${truncatedShare}`,
  },
  check: ({ data, config }) => {
    const share = data.truncatedTokens / Math.max(data.truncatedTokens + data.realTokens, 1);
    if (share < truncatedShare) return [];
    return [
      {
        sae: null,
        message: {
          en:
            `${data.truncatedTokens} tokens (${percent(share)}) were cut off: a chunk is ` +
            `${config.dataset.seqLen} words, and often more than ${config.dataset.seqLen} ` +
            'tokens.',
          zh:
            `有 ${data.truncatedTokens} 个词元（${percent(share)}）被截去：每段为 ` +
            `${config.dataset.seqLen} 个单词，常多于 ${config.dataset.seqLen} 个词元。`,
        },
        evidence: { truncatedTokens: data.truncatedTokens, realTokens: data.realTokens },
      },
    ];
  },
};
