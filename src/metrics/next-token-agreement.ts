/**
 * NextTokenAgreement: the share of positions at which the spliced pass has the same most likely
 * next token as the clean pass. Of SAEs whose layers are replaced together: a replacement model is
 * judged by it (Ameisen et al. 2025, "Circuit Tracing").
 */
import { meanOverSlots, type Metric, type SpliceColumn } from './metric.js';

/** Σ positions at which both passes have the same most likely next token. */
const agreeing: SpliceColumn = {
  name: 'agreeing',
  meaning: 'positions at which the splice leaves the most likely next token as it is',
  from: 'splice',
  over: 'positions',
  values: ({ agrees }) => agrees ?? null,
};

export const nextTokenAgreement = {
  name: 'NextTokenAgreement',
  columns: [agreeing],
  fields: [
    {
      field: 'NextTokenAgreement',
      protocol: 'strict',
      name: { en: 'Next-token agreement', zh: '下一词元一致率' },
      meaning: {
        en:
          'share of real tokens at which the spliced pass has the same most likely next token, ' +
          'for cross-layer transcoders and weakly causal crosscoders',
        zh: '替换后最可能的下一词元保持不变的真实词元比例，用于跨层转码器与弱因果交叉编码器',
      },
      formula: 'mean over positions of `argmax q = argmax p`',
      unit: 'share',
      better: 'higher',
      shape: 'estimate',
      interval: true,
      perLayer: true,
      optional: true,
      value: (sums) =>
        sums.positions === 0
          ? null
          : meanOverSlots(sums, (slot) => {
              const total = sums.at(slot, agreeing);
              return total === null ? null : total / sums.positions;
            }),
    },
  ],
} as const satisfies Metric;
