/**
 * From a checked request to what a run computes with: the device, the SAEs with their strategies,
 * how much at once.
 */
import { asSaeEvalError, type SaeEvalError } from '../../errors.js';
import { located } from '../../hub-cache.js';
import { bytesPer } from '../../lm/weight-files.js';
import { metricsNamed, needsOf } from '../../metrics/table.js';
import { openSAE, type ProductKind, type SAE } from '../../sae/index.js';
import { beginSkip } from '../../sae/turned-skip.js';
import { cuda, numThreads } from '../../torch/index.js';
import { canHandOver } from '../engine/companions.js';
import { planRounds } from '../engine/rounds.js';
import { chooseSuperBatch } from '../engine/super-batch.js';
import { chooseMicroBatch, constantsOf, workingSetFor } from '../engine/micro-batch.js';
import type { Decisions } from './journal.js';
import { borrowSae } from './loading.js';
import { ownProtocols, type ResolvedRequest } from '../../schema/index.js';
import { deviceMemory } from './device-memory.js';
import { checkFits, checkTablesFit } from './fits.js';
import { zeroLanes } from '../engine/zero-ablation.js';
import { positionSet } from '../positions.js';
import { strategyFor } from '../engine/strategies/index.js';
import type { Strategy, Variant, Wanted } from '../engine/strategies/strategy.js';
import type { ResolvePath } from '../request/path-table.js';
import type { ResolvedSae } from '../request/resolve.js';
import { valuesOf, type Residency } from './residency.js';
import type { Loans } from './weight-cache.js';

/** An SAE of a run, loaded or failed. */
export interface EvaluatedSae {
  /** Its place in the request. */
  index: number;
  resolved: ResolvedSae;
  /** As the request names it. */
  path: string;
  sae: SAE | null;
  strategy: Strategy | null;
  variants: readonly Variant[];
  error: SaeEvalError | null;
}

/** The settings an SAE is evaluated with: its own or the request's, then the points of a sweep. */
function variantsOf(
  { inferK, theta }: ResolvedRequest,
  { prefixes }: ResolvedSae,
  index: number,
): Variant[] {
  const owner = (variant: number): string => `${index}.${variant}`;
  if (prefixes !== null)
    return [
      { owner: owner(0), sparsity: null },
      ...prefixes.map((prefix, i) => ({ owner: owner(i + 1), sparsity: { prefix } })),
    ];
  if (Array.isArray(inferK))
    return [
      { owner: owner(0), sparsity: null },
      ...inferK.map((k, i) => ({ owner: owner(i + 1), sparsity: { inferK: k } })),
    ];
  if (Array.isArray(theta))
    return [
      { owner: owner(0), sparsity: null },
      ...theta.map((t, i) => ({ owner: owner(i + 1), sparsity: { theta: t } })),
    ];
  if (inferK !== undefined) return [{ owner: owner(0), sparsity: { inferK } }];
  return [{ owner: owner(0), sparsity: theta === undefined ? null : { theta } }];
}

/** The passes that the requested metrics need. */
export function wantedOf(request: ResolvedRequest): Wanted {
  const metrics = metricsNamed(request.metrics);
  return {
    protocols: new Set(ownProtocols(request.protocol)),
    splice: metrics.some((metric) => needsOf(metric).splice),
    zero: metrics.some((metric) => needsOf(metric).zero),
    metrics,
    contexts: request.latents,
  };
}

/** The language model's part in what is decided before it is loaded. */
export interface ModelShape {
  /** Blocks, L. */
  layers: number;
  width: number;
  vocabulary: number;
}

export interface LoadEvaluatedOptions {
  model: ModelShape;
  device: string;
  request: ResolvedRequest;
  wanted: Wanted;
  products: ProductKind;
  /** Indices of the SAEs whose skip connections an earlier part of the run turned. */
  turnedSkips?: readonly number[] | undefined;
  /** Indices of the SAEs to load; default all. */
  only?: readonly number[] | undefined;
  loans: Loans;
  /** Ids that the tokenizer and the model call special. */
  specialIds: ReadonlySet<number>;
  resolvePath?: ResolvePath;
}

/**
 * Loads the SAEs of a request to their device, or borrows them. An SAE that cannot be loaded fails
 * alone.
 */
export function loadEvaluated(
  saes: readonly ResolvedSae[],
  options: LoadEvaluatedOptions,
): EvaluatedSae[] {
  const { only } = options;
  let latents = 0;
  return saes.flatMap((resolved, index) => {
    if (only !== undefined && !only.includes(index)) return [];
    latents += resolved.description.m;
    return [loadOne(resolved, index, { ...options, latents })];
  });
}

function loadOne(
  resolved: ResolvedSae,
  index: number,
  {
    model,
    device,
    request,
    wanted,
    products,
    turnedSkips,
    loans,
    specialIds,
    resolvePath = located,
    latents,
  }: LoadEvaluatedOptions & {
    /** Latents of this SAE and those before it. */
    latents: number;
  },
): EvaluatedSae {
  const { description, layer, layers, site, head, reads, excluding } = resolved;
  const { saeDtype: dtype } = request;
  const variants = variantsOf(request, resolved, index);
  const base = { index, resolved, path: request.saes[index]!.checkpoint, variants };
  const path = resolvePath(base.path, 'SAE');
  // Two SAEs of one file that differ only in the place they are used at share their weights.
  const { kind: _, place: __, notes: ___, checkpoint, ...form } = description;
  const source = {
    path,
    options: { form, prefix: checkpoint.prefix, dtype, device, products },
    weightBytes: valuesOf(description) * bytesPer(dtype),
  };
  try {
    checkFits(description, {
      label: resolved.label,
      device,
      dtype,
      seqLen: request.dataset.seqLen,
      memory: deviceMemory(device, cuda.memory),
    });
    if (wanted.contexts !== undefined)
      checkTablesFit({ label: resolved.label, latents, contexts: wanted.contexts });
    const sae = borrowSae(loans, source, () => openSAE(description, { device, dtype, products }));
    beginSkip(sae, turnedSkips?.includes(index));
    const strategy = strategyFor(sae, {
      layer,
      layers,
      site,
      reads,
      head,
      ...(description.form === 'routed' ? { routing: description.routing } : {}),
      L: model.layers,
      variants,
      wanted,
      positions: positionSet(excluding.exclusion, specialIds, {
        roles: request.dataset.roles ?? [],
      }),
      saeDtype: dtype,
    });
    return { ...base, sae, strategy, error: null };
  } catch (thrown) {
    const error = asSaeEvalError(thrown, resolved.label);
    // No other SAE can be loaded either.
    if (error.code === 'device-lost') throw error;
    return { ...base, sae: null, strategy: null, error };
  }
}

let ownThreads: number | null = null;

/** Number of threads that this process may use; ask before a run sets fewer. */
export function threadsOfProcess(): number {
  return (ownThreads ??= numThreads());
}

/** Values of a residual stream below which threads wait for each other longer than they compute. */
const worthThreads = 2 ** 17;

/**
 * Values of a residual stream below which threads with micro-batches of their own are faster than
 * threads that share each operator: 1.2 to 1.4 times at 2¹⁷, the shipped model's; at 3 · 2¹⁸,
 * GPT-2's, they are slower (AMD EPYC with AVX-512, 2 cores).
 */
const worthSharing = 2 ** 18;

/** Threads of an operator: one, if other threads compute other micro-batches. */
function threadsFor(
  values: number,
  { request, wanted }: { request: ResolvedRequest & { device: string }; wanted: Wanted },
): number {
  if (values < worthThreads) return 1;
  const isApart = values < worthSharing && request.device === 'cpu' && canHandOver(wanted);
  return isApart ? 1 : threadsOfProcess();
}

/** Decides how much a run computes at once, and on how many threads. */
export function decide(
  request: ResolvedRequest & { device: string },
  model: ModelShape,
  {
    evaluated,
    products,
    wanted,
    attentionBytes = 0,
    residency = null,
  }: {
    evaluated: readonly EvaluatedSae[];
    products: ProductKind;
    wanted: Wanted;
    /** Bytes that the attention of the language model takes by itself. */
    attentionBytes?: number;
    /** Where the weights are; default all in memory. */
    residency?: Residency | null;
  },
): Decisions {
  const strategies = evaluated.flatMap(({ strategy }) => (strategy === null ? [] : [strategy]));
  const constants = constantsOf(request.device);
  const free = deviceMemory(request.device, cuda.memory)?.freeBytes ?? null;
  const forOthers = free === null ? null : Math.max(0, free - attentionBytes);
  const zeros = zeroLanes(strategies);
  const shape = {
    seqLen: request.dataset.seqLen,
    width: model.width,
    bytes: { model: bytesPer(request.dtype), sae: bytesPer(request.saeDtype) },
    kept: new Set(strategies.flatMap(({ residuals }) => residuals)).size,
    lanes: strategies.reduce((sum, { lanes }) => sum + lanes.length, 0) + zeros.length,
  };
  const budget = workingSetFor(forOthers, constants);
  const microBatch = chooseMicroBatch({
    ...shape,
    constants,
    // A run may have fewer samples than a batch.
    batchSize: Math.min(request.batchSize, request.dataset.maxSamples ?? Infinity),
    latents: Math.max(1, ...evaluated.map(({ resolved }) => resolved.description.m)),
    budget,
  });
  const values = microBatch.sequences * request.dataset.seqLen * model.width;
  return {
    microBatch,
    threads: threadsFor(values, { request, wanted }),
    saeProducts: products,
    ...(residency?.streams === true
      ? {
          superBatch: chooseSuperBatch({
            ...shape,
            microBatch,
            rounds: planRounds({ strategies, zeros }, { most: microBatch.lanes }).length,
            budget: ((forOthers ?? 0) - budget - inMemory(residency)) / 2,
            batchSize: request.batchSize,
          }),
        }
      : {}),
  };
}

/** Bytes of weights that are yet to come beside what streams hold. */
function inMemory({ size, isMapped }: Residency): number {
  return 2 * size.blockBytes + (isMapped ? size.endBytes : 0);
}
