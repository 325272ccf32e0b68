/**
 * OLMo 3 (Ai2 2025): OLMo 2's blocks. Three blocks with a sliding window follow each other, then
 * one without; the two sorts have rotary settings of their own.
 */
import { llamaKeys } from '../config-keys.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import {
  readRopeOfSort,
  sectionOfFullBlocks,
  type RopeConfig,
  type RopeDefaults,
} from '../rope-config.js';
import { windowOrNone, readSizes, readSliding, readTransformer } from '../transformer-config.js';
import { olmo2 } from './olmo2.js';

interface Ropes {
  full: RopeConfig;
  sliding: RopeConfig;
}

/** Rotary settings of the blocks without a window and with one. */
function readRopes(fields: JsonFields, defaults: RopeDefaults): Ropes {
  const sections = fields.section('rope_parameters');
  const names = sections?.names() ?? [];
  if (names.some((name) => name !== 'full_attention' && name !== 'sliding_attention'))
    fields.unsupported('rope_parameters', 'the sections full_attention and sliding_attention');
  const without = fields.with({ rope_theta: null });
  return {
    full: readRopeOfSort(sectionOfFullBlocks(fields), fields, defaults),
    sliding: readRopeOfSort(sections?.section('sliding_attention') ?? null, without, defaults),
  };
}

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizes(fields, { heads: 32, maxPositions: 2048 });
  const sliding = readSliding(fields, sizes.layers, (index) => (index + 1) % 4 !== 0);
  const size = windowOrNone(fields, 'sliding_window', 4096);
  const ropes = readRopes(fields, { ...sizes, theta: 500_000 });
  return readTransformer(fields, {
    sizes,
    rope: null,
    differences: {
      normEps: fields.number('rms_norm_eps', 1e-5),
      mlpBias: false,
      windows: sliding.map((slides) => (slides ? size : null)),
      ropes: sliding.map((slides) => (slides ? ropes.sliding : ropes.full)),
    },
  });
}

export const olmo3: Family = {
  ...olmo2,
  name: 'olmo3',
  modelTypes: ['olmo3'],
  models: 'OLMo 3',
  features: "OLMo 2's norms, alternating windows, rotary settings per kind of layer",
  keys: { used: [...llamaKeys, 'hidden_act', 'attention_bias', 'sliding_window', 'layer_types'] },
  readConfig,
};
