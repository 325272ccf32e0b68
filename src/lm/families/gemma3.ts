/**
 * Text model of Gemma 3 (arXiv:2503.19786): Gemma 2's blocks without soft-capped attention. The
 * queries and keys of each head are normalized. Five blocks with a sliding window follow each
 * other, then one without; the two sorts have rotary settings of their own.
 */
import { windowOrNone, readSizes, readSliding } from '../transformer-config.js';
import type { Family } from '../family.js';
import { readRopeOfSort, sectionOfFullBlocks, type RopeConfig } from '../rope-config.js';
import { createGemma, gemmaKeys, readGemma } from './gemma2.js';

export const gemma3: Family = {
  name: 'gemma3',
  modelTypes: ['gemma3_text'],
  models: 'Gemma 3',
  features: 'normalized queries and keys, rotary settings per kind of layer',
  keys: {
    used: [...gemmaKeys, 'rope_local_base_freq', 'sliding_window_pattern'],
    idle: ['hidden_act', '_sliding_window_pattern'],
  },
  prefixes: ['model.'],
  normsAfter: true,
  centeredByTransformerLens: false,
  readConfig(fields) {
    // The section of a multimodal model's file leaves the default values out.
    const sizes = readSizes(fields, {
      vocabulary: 262_208,
      maxPositions: 131_072,
      heads: 8,
      keyValueHeads: 4,
      headDim: 256,
    });
    const pattern = fields.size('sliding_window_pattern', 6);
    const sliding = readSliding(fields, sizes.layers, (index) => (index + 1) % pattern !== 0);
    const size = windowOrNone(fields, 'sliding_window', 4096);
    // transformers 5 has a section for each sort of layer; older files have `rope_scaling`, for
    // the layers without a window alone.
    const sections = fields.section('rope_parameters');
    const full = readRopeOfSort(sectionOfFullBlocks(fields), fields, {
      ...sizes,
      theta: 1_000_000,
    });
    const localTheta = fields.number('rope_local_base_freq', 10_000);
    const localSection = sections?.section('sliding_attention') ?? null;
    const local: RopeConfig =
      localSection === null
        ? { theta: localTheta, dim: full.dim, scaling: { kind: 'default' } }
        : readRopeOfSort(localSection, fields.with({ rope_theta: null }), {
            ...sizes,
            theta: localTheta,
          });
    return readGemma(fields, sizes, {
      windows: sliding.map((slides) => (slides ? size : null)),
      ropes: sliding.map((slides) => (slides ? local : full)),
      logitSoftcap: fields.number('final_logit_softcapping', null),
    });
  },
  create: (build) => createGemma(build, { headNorms: true }),
};
