/**
 * From a checked request to what a run computes with: the device, the SAEs with their strategies,
 * how much at once.
 */
import { asSaeEvalError, type SaeEvalError } from '../../errors.js';
import { bytesPer } from '../../lm/weight-files.js';
import { metricsNamed } from '../../metrics/registry.js';
import { chooseProducts, createSAE, loadPublished, type SAE } from '../../sae/index.js';
import { cuda, numThreads } from '../../torch/index.js';
import { chooseMicroBatch, workingSetFor } from '../engine/micro-batch.js';
import type { Decisions } from './journal.js';
import { borrowSae } from './loading.js';
import type { ResolvedRequest, SaeKind } from '../../schema/index.js';
import { deviceMemory } from './device-memory.js';
import { strategyFor } from '../engine/strategies/index.js';
import type { Strategy, Variant, Wanted } from '../engine/strategies/strategy.js';
import type { ResolvedSae } from '../request/resolve.js';
import type { Loans } from './weight-cache.js';

/** An SAE of a run, loaded or failed. */
export interface EvaluatedSae {
  resolved: ResolvedSae;
  /** As the request names it. */
  path: string;
  sae: SAE | null;
  strategy: Strategy | null;
  variants: readonly Variant[];
  error: SaeEvalError | null;
}

/** The settings an SAE is evaluated with: its own or the request's, then the points of a sweep. */
function variantsOf(request: ResolvedRequest, index: number): Variant[] {
  const owner = (variant: number): string => `${index}.${variant}`;
  const { inferK, theta } = request;
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

/** Which passes the metrics asked for need. */
export function wantedOf(request: ResolvedRequest): Wanted {
  const metrics = metricsNamed(request.metrics);
  return {
    protocols: new Set(request.protocol),
    splice: metrics.some(({ needs }) => needs.splice),
    zero: metrics.some(({ needs }) => needs.zero),
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
  loans: Loans;
  /** Where the SAE's path leads. */
  path: string;
}

/**
 * The kind it computes as: RandomK differs from TopK in the layer alone, and shares its weights.
 */
function computedAs({ kind }: ResolvedSae): SaeKind {
  return kind === 'RandomK' ? 'TopK' : kind;
}

/**
 * Everything that decides what is made of an SAE's file: all that is asked and known of it but its
 * name and where it is used.
 */
function loadingOptions(
  resolved: ResolvedSae,
  { saes, saeDtype, inferK, theta }: ResolvedRequest,
  { index, device }: { index: number; device: string },
): unknown {
  const { label: _, layer: __, kind: ___, ...spec } = saes[index]!;
  const { k, aggregation, published } = resolved;
  return {
    spec,
    kind: computedAs(resolved),
    k,
    aggregation,
    published,
    saeDtype,
    inferK,
    theta,
    device,
  };
}

/**
 * Loads an SAE of the request to its device, or borrows it; one that cannot be loaded fails alone.
 */
export function loadEvaluated(
  resolved: ResolvedSae,
  index: number,
  { model, device, request, wanted, loans, path }: LoadEvaluatedOptions,
): EvaluatedSae {
  const variants = variantsOf(request, index);
  const spec = request.saes[index]!;
  const values = [...resolved.checkpoint.entries.values()].reduce(
    (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
    0,
  );
  const source = {
    path,
    options: loadingOptions(resolved, request, { index, device }),
    weightBytes: values * bytesPer(request.saeDtype),
  };
  try {
    const common = { kind: computedAs(resolved), device, dtype: request.saeDtype };
    const sae: SAE = borrowSae(loans, source, () =>
      resolved.published !== null
        ? loadPublished(resolved.published, common)
        : createSAE(resolved.checkpoint, {
            ...common,
            ...(resolved.k === null ? {} : { k: resolved.k }),
            ...(resolved.aggregation === null ? {} : { aggregation: resolved.aggregation }),
          }),
    );
    const strategy = strategyFor({
      sae,
      layers: resolved.layers,
      site: resolved.site,
      routing: resolved.routing,
      L: model.layers,
      variants,
      wanted,
      saeDtype: request.saeDtype,
    });
    return { resolved, path: spec.checkpoint, sae, strategy, variants, error: null };
  } catch (thrown) {
    return {
      resolved,
      path: spec.checkpoint,
      sae: null,
      strategy: null,
      variants,
      error: asSaeEvalError(thrown, resolved.label),
    };
  }
}

/** What this process may use; a run may use less. */
const allThreads = numThreads();
/** Values of a residual stream below which threads wait for each other longer than they compute. */
const worthThreads = 2 ** 17;

/** How much a run computes at once, and on how many threads: decided once for a run. */
export function decide(
  request: ResolvedRequest & { device: string },
  model: ModelShape,
  evaluated: readonly EvaluatedSae[],
): Decisions {
  const strategies = evaluated.flatMap(({ strategy }) => (strategy === null ? [] : [strategy]));
  const microBatch = chooseMicroBatch({
    seqLen: request.dataset.seqLen,
    batchSize: request.batchSize,
    width: model.width,
    bytes: { model: bytesPer(request.dtype), sae: bytesPer(request.saeDtype) },
    latents: Math.max(1, ...evaluated.map(({ resolved }) => resolved.sizes.m)),
    kept: new Set(strategies.flatMap(({ residuals }) => residuals)).size,
    lanes: strategies.reduce((sum, { laneStarts }) => sum + laneStarts.length, 0),
    budget: workingSetFor(deviceMemory(request.device, cuda.memory)?.freeBytes ?? null),
  });
  const values = microBatch.sequences * request.dataset.seqLen * model.width;
  return {
    microBatch,
    threads: values < worthThreads ? 1 : allThreads,
    saeProducts: chooseProducts(request),
  };
}
