/** One evaluation in this process: request → plan → passes over the data → result. */
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { openSamples } from '../data/index.js';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { loadLanguageModel, loadTokenizer, type LanguageModel } from '../lm/index.js';
import { Accumulator } from '../metrics/accumulator.js';
import { metricsNamed } from '../metrics/registry.js';
import { createSAE, type SAE } from '../sae/index.js';
import { cuda, devices, numThreads, setInferenceMode, setNumThreads, synchronize, trimMemory, versions, type DType } from '../torch/index.js';
import { packageVersion } from '../version.js';
import { Engine } from './engine/engine.js';
import { chooseMicroBatch } from './engine/micro-batch.js';
import { fingerprint, Journal, type Decisions } from './journal.js';
import { ResultBuilder, type EvaluatedSae } from './result-builder.js';
import type { EvaluationRequest, EvaluationResult, ResolvedRequest, SaeResult } from './schema/index.js';
import { strategyFor } from './strategies/index.js';
import type { Variant, Wanted } from './strategies/strategy.js';
import { validateRequest, type ResolvedSae, type ValidatedRequest } from './validate.js';

export interface Progress {
  samples: number;
  /** Null while it is not known. */
  total: number | null;
  batches: number;
  samplesPerSecond: number;
  secondsLeft: number | null;
}

export interface RunOptions {
  id?: string;
  createdAt?: string;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Numbers as they stand after a batch, without intervals. */
  onResult?: (results: SaeResult[]) => void;
  /** File that each finished batch is written to, and from which a killed run continues with the same bits. */
  journal?: string;
  resolvePath?: (path: string) => string;
}

/** The device to compute on. @throws SaeEvalError `device-unavailable` listing those that are there. */
export function resolveDevice(wanted: string | undefined): string {
  const present = devices();
  if (wanted === undefined) return present[1] ?? 'cpu';
  const name = wanted === 'cuda' ? 'cuda:0' : wanted;
  if (present.includes(name)) return name;
  const message = `expected one of ${present.join(', ')}, found ${wanted}${cuda.isAvailable() ? '' : ' (this machine has no CUDA device, or libtorch is a CPU build)'}`;
  throw new SaeEvalError('device-unavailable', `device: ${message}`, { fields: [{ path: 'device', message }] });
}

/** The settings an SAE is evaluated with: its own or the request's, then the points of a sweep. */
function variantsOf(request: ResolvedRequest, index: number): Variant[] {
  const owner = (variant: number): string => `${index}.${variant}`;
  const { inferK, theta } = request;
  if (Array.isArray(inferK)) return [{ owner: owner(0), sparsity: null }, ...inferK.map((k, i) => ({ owner: owner(i + 1), sparsity: { inferK: k } }))];
  if (Array.isArray(theta)) return [{ owner: owner(0), sparsity: null }, ...theta.map((t, i) => ({ owner: owner(i + 1), sparsity: { theta: t } }))];
  if (inferK !== undefined) return [{ owner: owner(0), sparsity: { inferK } }];
  return [{ owner: owner(0), sparsity: theta === undefined ? null : { theta } }];
}

function wantedOf(request: ResolvedRequest): Wanted {
  const metrics = metricsNamed(request.metrics);
  return {
    protocols: new Set(request.protocol),
    splice: metrics.some(({ needs }) => needs.splice),
    zero: metrics.some(({ needs }) => needs.zero),
  };
}

/** Loads an SAE; one that cannot be loaded fails alone. */
function load(resolved: ResolvedSae, index: number, { model, request, wanted }: { model: LanguageModel; request: ResolvedRequest; wanted: Wanted }): EvaluatedSae {
  const variants = variantsOf(request, index);
  const spec = request.saes[index]!;
  try {
    const sae: SAE = createSAE(resolved.checkpoint, {
      kind: resolved.kind,
      device: model.device,
      dtype: request.saeDtype,
      ...(resolved.k === null ? {} : { k: resolved.k }),
      ...(resolved.aggregation === null ? {} : { aggregation: resolved.aggregation }),
    });
    const strategy = strategyFor({ sae, layers: resolved.layers, routing: resolved.routing, L: model.layers, variants, wanted, saeDtype: request.saeDtype });
    return { resolved, path: spec.checkpoint, sae, strategy, variants, error: null };
  } catch (thrown) {
    return { resolved, path: spec.checkpoint, sae: null, strategy: null, variants, error: asSaeEvalError(thrown, resolved.label) };
  }
}

/** What a run computes, for the journal: the request, and the files as they are now. */
function printOf({ request, saes, paths }: ValidatedRequest, device: string): string {
  const files = [paths.model, paths.dataset, ...saes.map(({ checkpoint }) => checkpoint.path)].map((path) => {
    const { size, mtimeMs } = statSync(path);
    return [path, size, mtimeMs];
  });
  return fingerprint({ request, files, device, version: packageVersion, versions: versions() });
}

/** What this process may use; a run may use less. */
const allThreads = numThreads();
/** Values of a residual stream below which threads wait for each other longer than they compute. */
const worthThreads = 2 ** 17;

function decide(request: ResolvedRequest, model: LanguageModel, evaluated: readonly EvaluatedSae[]): Decisions {
  const strategies = evaluated.flatMap(({ strategy }) => (strategy === null ? [] : [strategy]));
  const microBatch = chooseMicroBatch({
    seqLen: request.dataset.seqLen,
    batchSize: request.batchSize,
    width: model.width,
    vocabulary: model.vocabulary,
    latents: Math.max(1, ...evaluated.map(({ resolved }) => resolved.sizes.m)),
    kept: new Set(strategies.flatMap(({ residuals }) => residuals)).size,
    lanes: strategies.reduce((sum, { laneStarts }) => sum + laneStarts.length, 0),
  });
  const values = microBatch.sequences * request.dataset.seqLen * model.width;
  return { microBatch, threads: values < worthThreads ? 1 : allThreads };
}

/**
 * Runs one evaluation in this process; it computes on this thread, with a turn of the event loop between micro-batches.
 * @throws SaeEvalError for what is wrong with the request, the model, the data or the device; a fault of one SAE is in its result.
 */
export async function run(input: EvaluationRequest | ResolvedRequest, options: RunOptions = {}): Promise<EvaluationResult> {
  const { signal, onProgress, onResult, resolvePath } = options;
  const validated = await validateRequest(input, resolvePath === undefined ? {} : { resolvePath });
  const device = resolveDevice(validated.request.device);
  const request: ResolvedRequest = { ...validated.request, device };
  const journal = options.journal === undefined ? null : new Journal(options.journal, printOf(validated, device));
  const recovered = journal?.recover() ?? null;
  signal?.throwIfAborted();

  setInferenceMode(true);
  const model = await loadLanguageModel(validated.paths.model, { device, dtype: request.dtype as DType });
  const wanted = wantedOf(request);
  const evaluated = validated.saes.map((sae, index) => load(sae, index, { model, request, wanted }));
  let engine: Engine | null = null;
  try {
    const decisions = recovered?.decisions ?? decide(request, model, evaluated);
    setNumThreads(decisions.threads);
    engine = new Engine({
      model,
      wanted,
      strategies: evaluated.flatMap(({ strategy }) => (strategy === null ? [] : [strategy])),
      saeDtype: request.saeDtype,
      microBatch: decisions.microBatch,
    });
    const accumulator = recovered?.accumulator ?? new Accumulator();
    const identity = { id: recovered?.id ?? options.id ?? randomUUID(), createdAt: recovered?.createdAt ?? options.createdAt ?? new Date().toISOString() };
    const stream = await openSamples({
      ...request.dataset,
      path: validated.paths.dataset,
      batchSize: request.batchSize,
      tokenizer: await loadTokenizer(validated.paths.model),
      skipBatches: accumulator.batchSizes.length,
    });
    const builder = new ResultBuilder({ request, model, evaluated, decisions, identity, wanted });
    const started = performance.now();
    const skipped = accumulator.sequences;
    const secondsBefore = recovered?.seconds ?? 0;
    const seconds = (): number => secondsBefore + (performance.now() - started) / 1000;

    for await (const batch of stream) {
      accumulator.merge(await engine.batch(batch, signal));
      synchronize(device);
      journal?.write({ ...identity, decisions, seconds: seconds(), accumulator });
      const samples = accumulator.sequences;
      const rate = (samples - skipped) / Math.max((performance.now() - started) / 1000, 1e-9);
      const total = stream.total ?? null;
      onProgress?.({ samples, total, batches: accumulator.batchSizes.length, samplesPerSecond: rate, secondsLeft: total === null ? null : Math.max(total - samples, 0) / rate });
      onResult?.(builder.results(accumulator, { intervals: false }));
    }
    return builder.result(accumulator, { data: stream.summary, seconds: seconds() });
  } catch (thrown) {
    if (signal?.aborted === true) throw new SaeEvalError('cancelled', 'The evaluation was cancelled.', { cause: thrown });
    throw asSaeEvalError(thrown, 'The evaluation');
  } finally {
    engine?.dispose();
    for (const { sae } of evaluated) sae?.dispose();
    model.dispose();
    trimMemory();
  }
}
