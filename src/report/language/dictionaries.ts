/** Texts of the section on dictionaries. */
import { sharedFrom } from '../../schema/index.js';

export interface DictionaryWords {
  title: string;
  line: string;
  none: string;
  decoders: string;
  activations: string;
  head: readonly string[];
  meanings: readonly (string | null)[];
  exact: string;
  auction(gap: string): string;
  leftOut(counts: readonly [number, number]): string;
}

export const dictionaryWords: Record<'en' | 'zh', DictionaryWords> = {
  en: {
    title: 'Are dictionaries the same',
    line:
      'Pairs of SAEs on one place. PW-MCC: mean similarity of the pairs of the best one-to-one ' +
      'matching of latents. MMCS: mean of the largest similarity of each latent, in either ' +
      'direction. Decoders are compared by cosines, activations by correlations on the same ' +
      'tokens.',
    none: 'No two SAEs of this run read one place by one dictionary.',
    decoders: 'Decoders',
    activations: 'Activations',
    head: ['Pair', 'Latents', 'PW-MCC', `Pairs ≥ ${sharedFrom}`, 'MMCS a → b', 'MMCS b → a', 'By'],
    meanings: [
      null,
      'latents of either side that are compared',
      'mean similarity of the pairs of the best one-to-one matching',
      'share of these pairs that are alike',
      'mean over the latents of a of the largest similarity to one of b',
      'mean over the latents of b of the largest similarity to one of a',
      'how the matching was found',
    ],
    exact: 'exact assignment',
    auction: (gap) => `auction, at most ${gap} below the best`,
    leftOut: ([a, b]) => `${a} and ${b} latents without a direction or without change are left out`,
  },
  zh: {
    title: '字典是否相同',
    line:
      '位于同一位置的各对 SAE。PW-MCC：潜变量最优一一匹配中各配对相似度的均值。MMCS：每个潜变量最大' +
      '相似度的均值，两个方向分别给出。解码器按余弦相似度比较，激活按相同词元上的相关系数比较。',
    none: '本次运行中没有两个 SAE 以单一字典读取同一位置。',
    decoders: '解码器',
    activations: '激活',
    head: [
      '配对',
      '潜变量',
      'PW-MCC',
      `≥ ${sharedFrom} 的配对`,
      'MMCS a → b',
      'MMCS b → a',
      '方法',
    ],
    meanings: [
      null,
      '两侧参与比较的潜变量数',
      '最优一一匹配中各配对相似度的均值',
      '其中相近配对所占的比例',
      'a 的各潜变量与 b 中潜变量最大相似度的均值',
      'b 的各潜变量与 a 中潜变量最大相似度的均值',
      '匹配的求法',
    ],
    exact: '精确指派',
    auction: (gap) => `拍卖算法，距最优至多 ${gap}`,
    leftOut: ([a, b]) => `两侧各有 ${a} 与 ${b} 个没有方向或从不变化的潜变量未参与比较`,
  },
};
