/**
 * RandomK: a TopK's file on a layer that the seed draws from the routed range, as in the RouteSAE
 * reproduction. It shows what a dictionary is worth on a layer it was not trained on; its features
 * are not random.
 */
import type { Kind } from './kind.js';
import { topK } from './topk.js';

export const randomK = {
  ...topK,
  kind: 'RandomK' as const,
  summary: {
    en: "a TopK's file on another layer, drawn by the seed: what a mismatched layer costs",
    zh: '把 TopK 的文件用在由种子抽取的另一层：显示层不匹配的代价',
  },
  group: 'baseline',
  layer: 'drawn',
} satisfies Kind;
