/** SAELens' architectures: their settings in `cfg.json`, their activation. */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { Activation, DecoderNorm } from '../description.js';
import type { GivenSettings } from '../given.js';
import type { Tensors } from './tensors.js';

const size = z.int().positive();

/** Steps that a pursuit may be told to take: those of published SAEs end after d at the latest. */
const mostIterations = 2 ** 16;

/** Keys of a configuration that say how latents are made. */
export const activationWords = {
  architecture: z.string().default('standard'),
  k: z.number().nullish(), // checked for topk alone: batchtopk's is a mean
  rescale_acts_by_decoder_norm: z.boolean().default(false),
  // Before version 6.
  activation_fn_str: z.string().nullish(),
  activation_fn: z.string().nullish(),
  activation_fn_kwargs: z.looseObject({ k: size.optional() }).nullish(),
  // Settings of matching pursuit.
  residual_threshold: z.number().nonnegative().default(1e-2),
  max_iterations: size.max(mostIterations).nullish(),
  stop_on_duplicate_support: z.boolean().default(true),
  // Written by `sae-eval convert`: SAELens passes over what it does not know.
  sae_eval: z
    .looseObject({
      keeps_negative: z.boolean().optional(),
      decoder_norm: z.literal('selection').optional(),
      by_magnitude: z.boolean().optional(),
    })
    .optional(),
};

export interface ActivationSource {
  config: z.infer<z.ZodObject<typeof activationWords>>;
  tensors: Tensors;
  given: GivenSettings;
  /** Path of the configuration. */
  file: string;
}

export const unsupported = (
  file: string,
  what: string,
  value: unknown,
  expected: string,
): SaeEvalError =>
  new SaeEvalError(
    'sae-kind',
    `${file}: ${what} ${JSON.stringify(value)} is not supported; expected ${expected}.`,
  );

/** A JumpReLU's thresholds, or the one that a BatchTopK has learned so far. */
function jumpRelu({ config, tensors }: ActivationSource, m: number, name: string): Activation {
  const log = !tensors.has(name) && tensors.has(`log_${name}`);
  const tensor = tensors.threshold(log ? `log_${name}` : name, m);
  const signed = config.sae_eval?.keeps_negative === true ? { signed: true } : {};
  return { kind: 'jumprelu', threshold: { tensor, log }, ...signed };
}

/**
 * The activation of an autoencoder, and whether decoder norms play a part in it.
 * @throws SaeEvalError `sae-kind` for an architecture that is none, `checkpoint-*`.
 */
export function activationOf(
  source: ActivationSource,
  { d, m }: { d: number; m: number },
): { activation: Activation; decoderNorm: DecoderNorm } {
  const { config, tensors, given, file } = source;
  const before6 = config.activation_fn_str ?? config.activation_fn ?? null;
  const architecture =
    config.architecture === 'standard' && before6 === 'topk' ? 'topk' : config.architecture;
  if (before6 !== null && !['relu', 'topk'].includes(before6))
    throw unsupported(file, 'activation', before6, 'relu or topk');
  // Versions before 6 computed these architectures with either; here it is ReLU's place alone.
  if (before6 === 'topk' && /^(?:gated|jumprelu|transcoder|skip)/.test(architecture))
    throw unsupported(file, `with architecture ${architecture}, activation`, before6, 'relu');
  const rescaled = config.rescale_acts_by_decoder_norm ? 'latents' : 'none';
  switch (architecture) {
    case 'standard':
    case 'transcoder':
    case 'skip_transcoder':
      return { activation: { kind: 'relu' }, decoderNorm: 'none' };
    case 'gated': {
      const gateBias = tensors.vector('b_gate', [m]);
      const magnitudeBias = tensors.vector('b_mag', [m]);
      const logScale = tensors.vector('r_mag', [m]);
      return {
        activation: { kind: 'gated', gateBias, magnitudeBias, logScale },
        decoderNorm: 'none',
      };
    }
    case 'jumprelu':
    case 'jumprelu_transcoder':
    case 'jumprelu_skip_transcoder':
      return { activation: jumpRelu(source, m, 'threshold'), decoderNorm: 'none' };
    // Saved while training: SAELens makes a JumpReLU of it, with the decoder's norms multiplied in.
    case 'batchtopk':
    case 'matryoshka_batchtopk':
      return { activation: jumpRelu(source, m, 'topk_threshold'), decoderNorm: rescaled };
    case 'topk':
    case 'abstopk': {
      const before = config.activation_fn_kwargs?.k;
      if (typeof config.k === 'number' && before !== undefined && before !== config.k)
        throw unsupported(file, 'activation_fn_kwargs.k', before, `the value of k, ${config.k}`);
      const saved = config.k ?? before;
      const k = given.k({ saved, m, where: 'cfg.json' });
      const { keeps_negative, by_magnitude, decoder_norm } = config.sae_eval ?? {};
      const isMagnitude = architecture === 'abstopk' || by_magnitude === true;
      return {
        activation: {
          kind: 'topk',
          k,
          ...(keeps_negative === true ? { signed: true } : {}),
          ...(isMagnitude ? { byMagnitude: true } : {}),
        },
        decoderNorm: decoder_norm ?? rescaled,
      };
    }
    case 'matching_pursuit':
      return {
        activation: {
          kind: 'matching-pursuit',
          residualThreshold: config.residual_threshold,
          maxIterations: config.max_iterations ?? d,
          stopsAtRepetition: config.stop_on_duplicate_support,
        },
        decoderNorm: 'none',
      };
    default:
      throw unsupported(
        file,
        'SAELens architecture',
        architecture,
        'standard, gated, topk, abstopk, jumprelu, batchtopk, matryoshka_batchtopk, ' +
          'matching_pursuit, temporal or a transcoder',
      );
  }
}
