/**
 * Multi-layer SAE (Lawson et al., "Residual Stream Analysis with Multi-Layer SAEs", 2024): one TopK
 * for every routed layer by itself. The forward pass is TopK's.
 */
import type { Kind } from './kind.js';
import { topK } from './topk.js';

export const mlsae = {
  ...topK,
  kind: 'MLSAE' as const,
  summary: {
    en: 'one TopK applied to each of several layers by itself',
    zh: '同一个 TopK 分别用于多个层',
  },
  group: 'multiLayer',
  layer: 'routed',
} satisfies Kind;
