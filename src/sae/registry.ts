/** The registry: from a kind and a checkpoint's tensors to an SAE that computes. */
import type { Checkpoint } from '../checkpoint/read.js';
import { openTensors } from '../checkpoint/tensors.js';
import { recognise } from './formats/recognise.js';
import { SaeEvalError } from '../errors.js';
import type { FloatDtype, SaeKind } from '../schema/request.js';
import { Crosscoder } from './kinds/crosscoder.js';
import { Gated } from './kinds/gated.js';
import { JumpReLU } from './kinds/jumprelu.js';
import { kindLayout, resolveKind, type KindLayout, type SaeSizes } from './layout.js';
import { MLSAE } from './kinds/mlsae.js';
import { loadPublished } from './load.js';
import { RandomK } from './kinds/randomk.js';
import { RouteSAE } from './kinds/routesae.js';
import type { SAE, SaeTensors } from './sae.js';
import { scope, type Tensor } from '../torch/index.js';
import { TopK } from './kinds/topk.js';
import { Vanilla } from './kinds/vanilla.js';

export interface SaeOptions {
  /** Active latents; required for the kinds that have a k. */
  k?: number;
  aggregation?: 'sum' | 'mean';
}

export interface RegistryEntry extends KindLayout {
  /** Takes over the tensors, whose names and shapes were checked. */
  create(tensors: SaeTensors, sizes: SaeSizes, options: SaeOptions & { k: number }): SAE;
}

/** The eight kinds, by name. */
export const registry: Readonly<Record<SaeKind, RegistryEntry>> = {
  TopK: { ...kindLayout('TopK'), create: (tensors, _, { k }) => new TopK(tensors, { k }) },
  RouteSAE: {
    ...kindLayout('RouteSAE'),
    create: (tensors, _, { k, aggregation }) =>
      new RouteSAE(tensors, aggregation === undefined ? { k } : { k, aggregation }),
  },
  MLSAE: { ...kindLayout('MLSAE'), create: (tensors, _, { k }) => new MLSAE(tensors, { k }) },
  Vanilla: { ...kindLayout('Vanilla'), create: (tensors) => new Vanilla(tensors) },
  Gated: { ...kindLayout('Gated'), create: (tensors) => new Gated(tensors) },
  JumpReLU: { ...kindLayout('JumpReLU'), create: (tensors) => new JumpReLU(tensors) },
  Crosscoder: {
    ...kindLayout('Crosscoder'),
    create: (tensors, { R }) => new Crosscoder(tensors, { R: R ?? 1 }),
  },
  RandomK: { ...kindLayout('RandomK'), create: (tensors, _, { k }) => new RandomK(tensors, { k }) },
};

export interface CreateSaeOptions extends SaeOptions {
  kind?: SaeKind;
  device?: string;
  dtype?: FloatDtype;
}

export interface LoadSaeOptions extends CreateSaeOptions {
  /**
   * Published SAEs: what the input is multiplied by, where the file does not hold it; a list for
   * crosscoders.
   */
  scale?: number | readonly number[];
  /**
   * Whether the mean over d is taken off first (TransformerLens' center_writing_weights), where the
   * file does not say.
   */
  centered?: boolean;
  /** A BatchTopK whose threshold was never set: what stands for it. */
  theta?: number;
  inferK?: number;
}

/**
 * Loads an SAE from a checkpoint: a file of the RouteSAE family, or a folder or file in a published
 * format. The caller disposes of it.
 *
 * @example
 * const sae = await loadSAE('checkpoints/TopK_tiny.pt', { kind: 'TopK', k: 16 });
 * @throws SaeEvalError `file-not-found`, `checkpoint-*`, `sae-kind`, `sae-option`, `non-finite`.
 */
export async function loadSAE(
  path: string,
  { scale, centered, theta, inferK, ...options }: LoadSaeOptions = {},
): Promise<SAE> {
  const found = await recognise(path, {
    ...(options.k === undefined ? {} : { k: options.k }),
    ...(scale === undefined ? {} : { scale }),
    ...(centered === undefined ? {} : { centred: centered }),
    ...(theta === undefined ? {} : { theta }),
    ...(inferK === undefined ? {} : { inferK }),
  });
  return found.published === null
    ? createSAE(found.checkpoint, options)
    : loadPublished(found.published, options);
}

/**
 * A sum shows NaN and infinity in one pass, without a mask as large as the weights; one that is too
 * large decides nothing.
 */
function isFinite(weights: Tensor): boolean {
  return Boolean(weights.sum().isfinite().item()) || Boolean(weights.isfinite().all().item());
}

/**
 * A dense product carries NaN and infinity into every reconstruction, a sparse one only where their
 * latent is active: neither may depend on which is used.
 */
function refuseNonFinite(path: string, tensors: SaeTensors): void {
  for (const [name, tensor] of tensors) {
    if (!/decoder\.(\d+\.)?weight$/.test(name) || scope(() => isFinite(tensor))) continue;
    for (const owned of tensors.values()) owned.dispose();
    throw new SaeEvalError(
      'non-finite',
      `${path}: ${name} holds NaN or infinity; expected finite values.`,
    );
  }
}

/**
 * The SAE of a checkpoint whose headers were read. @throws SaeEvalError `sae-option`, `non-finite`.
 */
export function createSAE(
  checkpoint: Checkpoint,
  { kind: wanted, device = 'cpu', dtype = 'float32', ...options }: CreateSaeOptions = {},
): SAE {
  const shapes = new Map([...checkpoint.entries].map(([name, entry]) => [name, entry.shape]));
  const { kind, sizes } = resolveKind(checkpoint.path, shapes, wanted);
  const entry = registry[kind];
  if (entry.hasK && (options.k === undefined || options.k < 1 || options.k > sizes.m)) {
    throw new SaeEvalError(
      'sae-option',
      `${checkpoint.path}: kind ${kind} needs k, a whole number from 1 to ${sizes.m} (its ` +
        `latents), found ${options.k ?? 'none'}.`,
    );
  }
  const tensors = openTensors(checkpoint, { device, dtype });
  refuseNonFinite(checkpoint.path, tensors);
  return entry.create(tensors, sizes, { ...options, k: options.k ?? 0 });
}
