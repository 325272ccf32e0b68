/** Settings of the blocks with linear attention, read from `config.json`. */
import type { JsonFields } from './json-fields.js';
import { perBlock } from './transformer-config.js';

export interface DeltaNetConfig {
  /** Number of heads of queries and keys; a divisor of `valueHeads`. */
  keyHeads: number;
  keyDim: number;
  /** Number of heads of values. */
  valueHeads: number;
  valueDim: number;
  /** Number of positions that the convolution sees, its own included. */
  kernel: number;
  /** Whether the attention of each block is linear. */
  inBlock: readonly boolean[];
}

export const deltaNetKeys = [
  ...['linear_num_key_heads', 'linear_key_head_dim', 'linear_num_value_heads'],
  ...['linear_value_head_dim', 'linear_conv_kernel_dim', 'layer_types'],
  'full_attention_interval',
] as const;

/** Which blocks have linear attention: by `layer_types`, or all but every fourth. */
function readLinear(fields: JsonFields, layers: number): boolean[] {
  const types = fields.strings('layer_types');
  if (types === null) {
    const interval = fields.size('full_attention_interval', 4);
    return perBlock(layers, (i) => (i + 1) % interval !== 0);
  }
  if (types.length !== layers) fields.invalid('layer_types', `a list of ${layers}, one per block`);
  return types.map((type) => {
    if (type !== 'linear_attention' && type !== 'full_attention')
      fields.unsupported('layer_types', 'linear_attention or full_attention for each block');
    return type === 'linear_attention';
  });
}

/** @throws SaeEvalError `model-invalid`, `model-unsupported`. */
export function readDeltaNet(fields: JsonFields, layers: number): DeltaNetConfig {
  const keyHeads = fields.size('linear_num_key_heads', 16);
  const valueHeads = fields.size('linear_num_value_heads', 32);
  if (valueHeads % keyHeads !== 0)
    fields.invalid('linear_num_key_heads', `a divisor of the ${valueHeads} heads of values`);
  return {
    keyHeads,
    keyDim: fields.size('linear_key_head_dim', 128),
    valueHeads,
    valueDim: fields.size('linear_value_head_dim', 128),
    kernel: fields.size('linear_conv_kernel_dim', 4, { atMost: 1024 }),
    inBlock: readLinear(fields, layers),
  };
}
