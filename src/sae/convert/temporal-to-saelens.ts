/** Writes a Temporal SAE as SAELens' architecture of that name. */
import { openTensors } from '../../checkpoint/tensors.js';
import type { Tensor } from '../../torch/index.js';
import type { TemporalDescription } from '../description.js';
import { headOf } from './plain.js';
import type { Conversion } from './target.js';
import { saelensFile } from './to-saelens.js';

const namesThere = { query: 'q_target', key: 'k_ctx', value: 'v_ctx', output: 'c_proj' } as const;
type Part = keyof typeof namesThere;

/** To be called in a scope. */
export function temporalToSaelens(
  sae: TemporalDescription,
  { hookName }: { hookName: string | null },
): Conversion {
  const { checkpoint, d, m, attention, activation, normalization, roundedTo } = sae;
  if (normalization.kind === 'pre') throw new Error('no file of a Temporal SAE says pre');
  const take = (name: string): Tensor => {
    const names = [name];
    if (roundedTo === undefined)
      return openTensors(checkpoint, { names, dtype: 'float64' }).get(name)!;
    const rounded = openTensors(checkpoint, { names, dtype: roundedTo }).get(name)!;
    return rounded.to({ dtype: 'float64' });
  };
  const isTied = sae.encoder.tensor === sae.decoder.tensor;
  const layers = attention.flatMap((layer, at) =>
    (Object.keys(namesThere) as Part[]).flatMap((part): [string, Tensor][] => [
      [`attn_layers.${at}.${namesThere[part]}.weight`, take(layer[part].weight)],
      [`attn_layers.${at}.${namesThere[part]}.bias`, take(layer[part].bias)],
    ]),
  );
  const isScaled = normalization.kind === 'scale';
  const width = attention[0] === undefined ? m : take(attention[0].key.weight).shape[0]!;
  return saelensFile(
    {
      d,
      m,
      subtracts: sae.subtractDecoderBias,
      centered: sae.centered,
      normalization: isScaled ? { kind: 'none' } : normalization,
      exclusion: sae.exclusion ?? null,
      prependBos: sae.prependBos ?? null,
      head: headOf(sae),
    },
    {
      hookName,
      fields: {
        architecture: 'temporal',
        n_heads: sae.heads,
        n_attn_layers: attention.length,
        bottleneck_factor: m / width,
        sae_diff_type: activation.kind === 'topk' ? 'topk' : 'relu',
        kval_topk: activation.kind === 'topk' ? activation.k : null,
        tied_weights: isTied,
        ...(isScaled
          ? {
              normalize_activations: 'constant_scalar_rescale',
              activation_normalization_factor: normalization.factor,
            }
          : {}),
      },
      tensors: [
        ...(isTied ? [] : [['W_enc', take(sae.encoder.tensor)] as [string, Tensor]]),
        ['W_dec', take(sae.decoder.tensor)],
        ['b_dec', take(sae.decoderBias!).reshape([d])],
        ...layers,
      ],
      notes: [],
    },
  );
}
