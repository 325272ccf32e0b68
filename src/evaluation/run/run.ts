/** One evaluation in this process: request → plan → passes over the data → result. */
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { cpus } from 'node:os';
import { openSamples } from '../../data/index.js';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { chooseProducts } from '../../sae/index.js';
import { Accumulator } from '../../metrics/accumulator.js';
import {
  devices,
  setInferenceMode,
  setMemoryCache,
  setNumThreads,
  synchronize,
  trimMemory,
  versions,
} from '../../torch/index.js';
import { memoryCacheBytes } from '../../torch/tuning.js';
import { packageVersion } from '../../version.js';
import { Engine } from '../engine/engine.js';
import { Journal, runIdentity } from './journal.js';
import { borrowModel, borrowTokenizer } from './loading.js';
import { resolveDevice } from './device.js';
import { decide, loadEvaluated, threadsOfProcess, wantedOf } from './prepare.js';
import { ResultBuilder } from '../result/result-builder.js';
import type {
  EvaluationRequest,
  EvaluationResult,
  Progress,
  ResolvedRequest,
  SaeResult,
} from '../../schema/index.js';
import { validateRequest, type ValidatedRequest } from '../request/resolve.js';
import { WeightCache } from './weight-cache.js';

export interface RunOptions {
  id?: string;
  createdAt?: string;
  signal?: AbortSignal;
  /** The model, the SAEs and the tokenizer are there. */
  onLoaded?: () => void;
  /** After every batch, and within one that takes its time. */
  onProgress?: (progress: Progress) => void;
  /** Milliseconds between calls of `onProgress` within a batch, at least; default 250. */
  progressInterval?: number;
  /** A batch was finished, and is in the journal; `samples` are those of the run so far. */
  onBatch?: (samples: number) => void;
  /** Numbers as they stand after a batch, without intervals. */
  onResult?: (results: SaeResult[]) => void;
  /** Milliseconds between calls of `onResult`, at least; default 0: after every batch. */
  resultInterval?: number;
  /**
   * File that each finished batch is written to, and from which a killed run continues with the
   * same bits.
   */
  journal?: string;
  resolvePath?: (path: string) => string;
  /** Whether the model may be a TorchScript program, which is code of its author; default false. */
  allowProgram?: boolean;
  /** Keeps models and SAEs for later runs; default: nothing is kept. */
  cache?: WeightCache;
}

/** Identity of a run for its journal: the request, and the files as they are now. */
function identityOf({ request, saes, paths }: ValidatedRequest, device: string): string {
  const files = [
    paths.model,
    paths.dataset,
    ...saes.flatMap(({ description: { checkpoint, configPath } }) => [
      checkpoint.path,
      ...(configPath === null ? [] : [configPath]),
    ]),
  ].map((path) => {
    const { size, mtimeMs } = statSync(path);
    return [path, size, mtimeMs];
  });
  // Libraries choose their kernels by the processor: on another one the parts of a run would not be
  // of the same bits.
  return runIdentity({
    request,
    files,
    device,
    version: packageVersion,
    versions: versions(),
    processor: cpus()[0]?.model,
  });
}

/**
 * Runs one evaluation in this process; it computes on this thread, with a turn of the event loop
 * between micro-batches.
 * @throws SaeEvalError for what is wrong with the request, the model, the data or the device; a
 *   fault of one SAE is in its result.
 */
export async function run(
  input: EvaluationRequest | ResolvedRequest,
  options: RunOptions = {},
): Promise<EvaluationResult> {
  const {
    signal,
    onLoaded,
    onProgress,
    progressInterval = 250,
    onBatch,
    onResult,
    resultInterval = 0,
    resolvePath = (path) => path,
    allowProgram = false,
    cache = new WeightCache(),
  } = options;
  const loans = cache.open();
  const validated = await validateRequest(input, {
    allowProgram,
    resolvePath: (name) => {
      const path = resolvePath(name);
      loans.see(path);
      return path;
    },
  });
  const device = resolveDevice(validated.request.device, devices());
  const request: ResolvedRequest & { device: string } = { ...validated.request, device };
  const journal =
    options.journal === undefined
      ? null
      : new Journal(options.journal, identityOf(validated, device));
  const recovered = journal?.recover() ?? null;
  signal?.throwIfAborted();

  setInferenceMode(true);
  setMemoryCache(memoryCacheBytes);
  const wanted = wantedOf(request);
  const products = recovered?.decisions.saeProducts ?? chooseProducts(request);
  threadsOfProcess();
  let engine: Engine | null = null;
  try {
    const model = await borrowModel(cache, loans, {
      path: validated.paths.model,
      device,
      dtype: request.dtype,
      allowProgram,
    });
    const evaluated = loadEvaluated(validated.saes, {
      model,
      device,
      request,
      wanted,
      products,
      loans,
      resolvePath,
    });
    const decisions = recovered?.decisions ?? decide(request, model, { evaluated, products });
    setNumThreads(decisions.threads);
    engine = new Engine({
      model,
      wanted,
      strategies: evaluated.flatMap(({ strategy }) => (strategy === null ? [] : [strategy])),
      saeDtype: request.saeDtype,
      microBatch: decisions.microBatch,
    });
    const accumulator = recovered?.accumulator ?? new Accumulator();
    const identity = {
      id: recovered?.id ?? options.id ?? randomUUID(),
      createdAt: recovered?.createdAt ?? options.createdAt ?? new Date().toISOString(),
    };
    const stream = await openSamples({
      ...request.dataset,
      path: validated.paths.dataset,
      batchSize: request.batchSize,
      tokenizer: await borrowTokenizer(loans, validated.paths.model),
      skipBatches: accumulator.batchSizes.length,
    });
    const builder = new ResultBuilder({
      request,
      model,
      evaluated,
      decisions,
      identity,
      wanted,
      versions: versions(),
    });
    const started = performance.now();
    const skipped = accumulator.sequences;
    const secondsBefore = recovered?.seconds ?? 0;
    const seconds = (): number => secondsBefore + (performance.now() - started) / 1000;

    let lastProgress = started;
    const tellProgress = (samples: number): void => {
      lastProgress = performance.now();
      const rate = (samples - skipped) / Math.max((lastProgress - started) / 1000, 1e-9);
      const total = stream.total ?? null;
      onProgress?.({
        samples,
        total,
        batches: accumulator.batchSizes.length,
        samplesPerSecond: rate,
        secondsLeft: total === null ? null : Math.max(total - samples, 0) / rate,
        skipped: stream.summary.skipped,
      });
    };
    const onMicroBatch = (done: number): void => {
      if (performance.now() - lastProgress >= progressInterval)
        tellProgress(accumulator.sequences + done);
    };

    let lastResult = -Infinity;
    onLoaded?.();
    for await (const batch of stream) {
      accumulator.merge(await engine.batch(batch, { signal, onMicroBatch }));
      synchronize(device);
      journal?.write({ ...identity, decisions, seconds: seconds(), accumulator });
      onBatch?.(accumulator.sequences);
      tellProgress(accumulator.sequences);
      if (onResult !== undefined && performance.now() - lastResult >= resultInterval) {
        lastResult = performance.now();
        onResult(builder.results(accumulator, { intervals: false }));
      }
    }
    return builder.result(accumulator, { data: stream.summary, seconds: seconds() });
  } catch (thrown) {
    if (signal?.aborted === true)
      throw new SaeEvalError('cancelled', 'The evaluation was cancelled.', { cause: thrown });
    throw asSaeEvalError(thrown, 'The evaluation');
  } finally {
    engine?.dispose();
    loans.release();
    trimMemory();
  }
}
