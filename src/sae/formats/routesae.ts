/**
 * Single-layer files of the RouteSAE family (github.com/swei2001/RouteSAEs and its reproduction) as
 * descriptions, for converting them: bare state dicts whose input is `pre(h)`. Evaluation has its
 * own classes for them (src/sae), but for those that `sae-eval convert` wrote from another format:
 * a `.json` beside them says what a bare state dict cannot.
 */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { SaeKind } from '../../schema/request.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { readConfig } from '../../checkpoint/json-file.js';
import {
  needK,
  refuseScale,
  Tensors,
  type Activation,
  type GivenSettings,
  type SaeDescription,
} from '../description.js';

export const settingsFormat = 'sae-eval-settings';

const settingsSchema = z.object({
  format: z.literal(settingsFormat),
  kind: z.enum(['Vanilla', 'TopK', 'Gated', 'JumpReLU']),
  hookName: z.string().nullable(),
  centred: z.boolean(),
  normalization: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('none') }),
    z.object({ kind: z.literal('token-norm') }),
    z.object({ kind: z.literal('layer-norm'), epsilon: z.number().positive().max(1) }),
    z.object({ kind: z.literal('scale'), factor: z.number().positive() }),
  ]),
  k: z.int().positive().optional(),
  keepsNegative: z.boolean().optional(),
  byDecoderNorms: z.boolean().optional(),
});

/** What is written beside a file of the family that came from another format. */
export type RouteSaeSettings = Omit<z.input<typeof settingsSchema>, 'kind'> & { kind: string };

export const settingsPath = (path: string): string => `${path}.json`;

/** Whether a `.json` beside a file is ours: others keep files of that name too. */
export function isSettings(path: string): boolean {
  try {
    return (
      readConfig(path, z.looseObject({ format: z.literal(settingsFormat) })).format ===
      settingsFormat
    );
  } catch {
    return false;
  }
}

/** A file of the family with its settings. @throws SaeEvalError `checkpoint-*`, `sae-option`. */
export function describeWithSettings(
  configPath: string,
  checkpoint: Checkpoint,
  given: GivenSettings,
): SaeDescription {
  const {
    kind,
    hookName,
    centred,
    normalization,
    k,
    keepsNegative = true,
    byDecoderNorms = false,
  } = readConfig(configPath, settingsSchema);
  refuseScale(given, configPath, 'its input is said beside the file');
  const plain = describeRouteSae(checkpoint, kind, { ...(k === undefined ? {} : { k }), ...given });
  return {
    ...plain,
    configPath,
    normalization,
    centred: given.centred ?? centred,
    activation:
      plain.activation.kind === 'topk'
        ? { kind: 'topk', k: plain.activation.k, signed: keepsNegative }
        : plain.activation,
    decoderNorm: byDecoderNorms ? 'selection' : 'none',
    hookPoint: hookName,
    hookPointFrom: 'config',
  };
}

/**
 * @throws SaeEvalError `checkpoint-*`, `sae-option`; `sae-kind` for kinds that are no SAE on one
 *   site.
 */
export function describeRouteSae(
  checkpoint: Checkpoint,
  kind: SaeKind,
  given: GivenSettings,
): SaeDescription {
  const { path } = checkpoint;
  const tensors = new Tensors(checkpoint);
  const [m, d] = tensors.matrix('encoder.weight', '[m, d]');
  const activation = ((): Activation => {
    switch (kind) {
      case 'Vanilla':
        return { kind: 'relu' };
      case 'TopK':
      case 'MLSAE':
      case 'RandomK':
        return { kind: 'topk', k: needK(given, undefined, m, path, 'its name'), signed: true };
      case 'JumpReLU':
        return {
          kind: 'jumprelu',
          threshold: { tensor: tensors.vector('threshold', [m]), log: false },
          signed: true,
        };
      case 'Gated':
        return {
          kind: 'gated',
          gateBias: tensors.vector('gate_bias', [m]),
          magnitudeBias: tensors.vector('mag_bias', [m]),
          logScale: tensors.vector('r_mag', [m]),
        };
      default:
        throw new SaeEvalError(
          'sae-kind',
          `${path}: a ${kind} reads several layers at once; only SAEs on one site can be ` +
            'described so.',
        );
    }
  })();
  return {
    form: 'sae',
    source: 'routesae',
    checkpoint,
    configPath: null,
    d,
    m,
    activation,
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('decoder.weight', [d, m], 'transposed'),
    encoderBias: kind === 'Gated' ? null : tensors.vector('latent_bias', [m]),
    decoderBias: tensors.vector('pre_bias', [d]),
    subtractDecoderBias: true,
    glu: null,
    centred: false,
    decoderNorm: 'none',
    normalization: { kind: 'layer-norm', epsilon: 1e-6 },
    hookPoint: null,
    hookPointFrom: 'path',
    notes: [],
  };
}
