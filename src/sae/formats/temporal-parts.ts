/** The parts of a Temporal SAE among the tensors of a file, by the settings of the file. */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { SaeKind } from '../../schema/index.js';
import type { AttentionLayer, LinearLayer, TemporalForm } from '../description.js';
import type { GivenSettings } from '../given.js';
import type { Tensors } from './tensors.js';

const size = z.int().positive();

/** Settings in the words that both SAELens and the SAEs' authors have for them. */
export const temporalWords = {
  n_heads: size.default(8),
  n_attn_layers: z.int().nonnegative().max(64).default(1),
  bottleneck_factor: size.default(64),
  sae_diff_type: z.enum(['relu', 'topk']).default('topk'),
  kval_topk: size.nullish(),
  tied_weights: z.boolean().nullish(),
};

export type TemporalSettings = z.infer<z.ZodObject<typeof temporalWords>>;

/** Names of the matrices and the bias in a file. */
interface Names {
  encoder: string;
  decoder: string;
  bias: string;
}

function attentionLayer(
  tensors: Tensors,
  { at, m, width }: { at: number; m: number; width: number },
): AttentionLayer {
  const linear = (name: string, out: number): LinearLayer => ({
    weight: tensors.vector(`attn_layers.${at}.${name}.weight`, [out, m]),
    bias: tensors.vector(`attn_layers.${at}.${name}.bias`, [out]),
  });
  return {
    query: linear('q_target', width),
    key: linear('k_ctx', width),
    value: linear('v_ctx', m),
    output: linear('c_proj', m),
  };
}

type Own = Omit<TemporalForm, 'normalization' | 'centered' | 'subtractDecoderBias'>;

/**
 * The form that the tensors and these settings make.
 * @throws SaeEvalError `checkpoint-*`.
 */
export function temporalParts(
  { tensors, given, file }: { tensors: Tensors; given: GivenSettings; file: string },
  { d, m }: { d: number; m: number },
  settings: TemporalSettings,
  names: Names,
): Own & { kinds: readonly [SaeKind] } {
  const { n_heads: heads, bottleneck_factor: bottleneck, n_attn_layers: layers } = settings;
  if (m % (bottleneck * heads) !== 0)
    throw new SaeEvalError(
      'checkpoint-format',
      `${file}: bottleneck_factor ${bottleneck} and n_heads ${heads}: expected numbers whose ` +
        `product divides the ${m} latents.`,
    );
  // `tied_weights` is true by default, but a file that has an encoder was not tied.
  const isTied = settings.tied_weights ?? !tensors.has(names.encoder);
  const factor = 1 / (4 * d);
  const k = settings.sae_diff_type === 'topk' ? (settings.kval_topk ?? null) : null;
  return {
    form: 'temporal',
    d,
    m,
    kinds: [k === null ? 'Vanilla' : 'TopK'],
    encoder: {
      ...(isTied
        ? tensors.weight(names.decoder, [m, d], 'transposed')
        : tensors.weight(names.encoder, [d, m], 'as stored')),
      factor,
    },
    decoder: tensors.weight(names.decoder, [m, d], 'as stored'),
    encoderBias: null,
    decoderBias: tensors.vector(names.bias, [d], [1, d]),
    glu: null,
    activation:
      k === null
        ? { kind: 'relu' }
        : { kind: 'topk', k: given.k({ saved: k, m, where: 'kval_topk' }) },
    decoderNorm: 'none',
    heads,
    attention: Array.from({ length: layers }, (_, at) =>
      attentionLayer(tensors, { at, m, width: m / bottleneck }),
    ),
  };
}
