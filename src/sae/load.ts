/** From a path, or a description, to an SAE that computes. */
import { openTensors } from '../checkpoint/tensors.js';
import { SaeEvalError } from '../errors.js';
import { located } from '../hub-cache.js';
import type { FloatDtype } from '../schema/index.js';
import { freedIfThrown, scope, type DType, type Tensor } from '../torch/index.js';
import { CrossLayer } from './cross-layer.js';
import { Crosscoder } from './crosscoder.js';
import { hookPointsOf, readsOnePlace, type SaeDescription, type SaeForm } from './description.js';
import { Dictionary } from './dictionary.js';
import { recognize } from './formats/recognize.js';
import { GivenSettings, type GivenFields } from './given.js';
import { products as productKinds, type ProductKind } from './product.js';
import { RoutedDictionary } from './routed.js';
import type { Making } from './sae.js';
import { Temporal } from './temporal.js';
import { Transcoder } from './transcoder.js';

export type SAE = Dictionary | Crosscoder | CrossLayer;

/** The SAE of a form whose tensors are at hand. */
export function createSAE(form: SaeForm, making: Making): SAE {
  switch (form.form) {
    case 'dictionary':
      return new Dictionary(form, making);
    case 'routed':
      return new RoutedDictionary(form, making);
    case 'transcoder':
      return new Transcoder(form, making);
    case 'cross-layer':
      return new CrossLayer(form, making);
    case 'temporal':
      return new Temporal(form, making);
    case 'crosscoder':
      return new Crosscoder(form, making);
  }
}

export interface OpenSaeOptions {
  device?: string;
  dtype?: FloatDtype;
  /** Kind of products; default `float32`. */
  products?: ProductKind;
}

/** A sum shows NaN and infinity in one pass; a sum that is too large decides nothing. */
function isFinite(weights: Tensor): boolean {
  return Boolean(weights.sum().isfinite().item()) || Boolean(weights.isfinite().all().item());
}

/** Names of the decoder's tensors. */
function decoderTensors(form: SaeForm): readonly string[] {
  if (form.form === 'cross-layer') return form.layers.map(({ decoder }) => decoder.tensor);
  return 'tensors' in form.decoder ? form.decoder.tensors : [form.decoder.tensor];
}

/**
 * Opens the tensors that the description names, and nothing else of the file. The caller disposes
 * of the SAE.
 * @throws SaeEvalError `checkpoint-*` if the file has changed since it was described, `non-finite`.
 */
export function openSAE(
  description: SaeDescription,
  { device = 'cpu', dtype = 'float32', products = 'float32' }: OpenSaeOptions = {},
): SAE {
  const { checkpoint, kind, format } = description;
  const roundedTo = readsOnePlace(description) ? description.roundedTo : undefined;
  const open = (name: string, to: DType): Tensor =>
    openTensors(checkpoint, { names: [name], device, dtype: to }).get(name)!;
  const take = (name: string): Tensor => {
    const tensor =
      roundedTo === undefined
        ? open(name, dtype)
        : scope(() => open(name, roundedTo).to({ dtype }));
    // A dense product carries NaN and infinity into every reconstruction, a sparse one only into
    // those of their latent: results must not depend on which is used.
    if (!decoderTensors(description).includes(name) || scope(() => isFinite(tensor))) return tensor;
    throw new SaeEvalError(
      'non-finite',
      `${checkpoint.path}: ${name} holds NaN or infinity; expected finite values.`,
    );
  };
  const hookPoints = hookPointsOf(description);
  const hookPoint = hookPoints.length === 1 ? hookPoints[0]! : null;
  return freedIfThrown<SAE>(() =>
    createSAE(description, {
      take,
      products: productKinds[products],
      identity: { kind, format, hookPoint },
    }),
  );
}

export interface LoadSaeOptions extends GivenFields {
  /** Prefix of its tensors, if the file holds several SAEs. */
  prefix?: string;
  device?: string;
  dtype?: FloatDtype;
}

/**
 * Describes the SAE of a checkpoint with the settings given.
 * @throws SaeEvalError `file-not-found`, `checkpoint-*`, `sae-kind`; `sae-option` if a setting is
 *   missing or does not fit.
 */
export async function describeSAE(
  path: string,
  { prefix, ...fields }: GivenFields & { prefix?: string | undefined } = {},
): Promise<SaeDescription> {
  const given = new GivenSettings(fields);
  const description = (await recognize(located(path, 'SAE'), prefix)).describe(given);
  given.throwIfAny(path);
  return description;
}

/**
 * Loads an SAE from a checkpoint: a file of the RouteSAE family, a folder or file in a published
 * format, or one of these in the local Hugging Face cache (`org/name:path`). The caller disposes of
 * it.
 *
 * @example
 * const sae = await loadSAE('checkpoints/TopK_tiny.pt', { kind: 'TopK', k: 16 });
 * @throws SaeEvalError `file-not-found`, `checkpoint-*`, `sae-kind`, `sae-option`, `non-finite`.
 */
export async function loadSAE(
  path: string,
  { device = 'cpu', dtype = 'float32', ...fields }: LoadSaeOptions = {},
): Promise<SAE> {
  return openSAE(await describeSAE(path, fields), { device, dtype });
}
