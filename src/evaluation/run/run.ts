/** One evaluation in this process: request → plan → passes over the data → result. */
import { randomUUID } from 'node:crypto';
import { cpus } from 'node:os';
import { openSamples, type Sample } from '../../data/index.js';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { located } from '../../hub-cache.js';
import { readChatTemplate, type ChatTemplate } from '../../lm/chat-template.js';
import { chooseProducts } from '../../sae/index.js';
import { isSkipTurned } from '../../sae/turned-skip.js';
import { Accumulator } from '../../metrics/accumulator.js';
import { metricsNamed } from '../../metrics/table.js';
import {
  cuda,
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
import { beginOfSamples } from './begin-of-samples.js';
import { InputFiles } from './input-files.js';
import { Journal, type RunIdentity, type RunState } from './journal.js';
import { borrowModel, borrowTokenizer } from './loading.js';
import { freeOnDevice, memoryShort, nameOfDevice } from './cuda-device.js';
import { resolveDevice } from './device.js';
import { decide, loadEvaluated, threadsOfProcess, wantedOf } from './prepare.js';
import { ProgressReports } from './progress-reports.js';
import { stoppedAfter } from './stopped.js';
import { ResultBuilder } from '../result/result-builder.js';
import { writeSums } from '../result/sums-file.js';
import {
  withoutAnnotations,
  type Bilingual,
  type EvaluationRequest,
  type EvaluationResult,
  type Progress,
  type ResolvedRequest,
  type SaeResult,
} from '../../schema/index.js';
import type { ResolvePath } from '../request/path-table.js';
import { validateRequest, type ValidatedRequest } from '../request/resolve.js';
import { WeightCache } from './weight-cache.js';

/** Part of the time of a run that numbers as they stand may take. */
const resultShare = 0.05;

export interface RunOptions {
  id?: string;
  createdAt?: string;
  signal?: AbortSignal;
  /**
   * Stops after the micro-batch under way and keeps what was done: the result is over those samples
   * and says so. A journal then has the finished batches, from which the same request continues.
   */
  stop?: AbortSignal;
  /** The model, the SAEs and the tokenizer are there. */
  onLoaded?: () => void;
  /** After every batch, and within one that takes its time. */
  onProgress?: (progress: Progress) => void;
  /** Milliseconds between calls of `onProgress` within a batch, at least; default 250. */
  progressInterval?: number;
  /** A batch was finished; `samples` are those of the run so far. */
  onBatch?: (samples: number) => void;
  /** Numbers as they stand after a batch, without intervals. */
  onResult?: (results: SaeResult[]) => void;
  /** Milliseconds between calls of `onResult`, at least; default 0: after every batch. */
  resultInterval?: number;
  /**
   * File that finished batches are written to, and from which a killed run continues with the same
   * bits. Writing takes at most a fiftieth of the time.
   */
  journal?: string;
  /** File for the sums of a run that has ended (docs/reference/sums.md). */
  sums?: string;
  /**
   * Device to compute on, one of those that the request allows; default: chosen by the request. It
   * is no part of a run's identity, so that a journal continues on another GPU of the same name.
   */
  device?: string;
  /** Something that the result's warnings will tell: a journal was not used, or not written. */
  onNotice?: (text: Bilingual) => void;
  resolvePath?: ResolvePath;
  /** Whether the model may be a TorchScript program, which is code of its author; default false. */
  allowProgram?: boolean;
  /** Keeps models and SAEs for later runs; default: nothing is kept. */
  cache?: WeightCache;
}

/** Identity of a run, apart from the content of its files. */
function identityOf(
  { request, saes }: ValidatedRequest,
  {
    device,
    deviceName,
    allowProgram,
  }: { device: string; deviceName: string; allowProgram: boolean },
): RunIdentity {
  const described = saes.map(({ description: { checkpoint: _, ...description }, ...place }) => ({
    ...place,
    description,
  }));
  return {
    request: { request: withoutAnnotations(request), described, allowProgram },
    // Libraries choose their kernels by the processor and the GPU: on another one the parts of a
    // run would not be of the same bits. Two GPUs of a kind give the same.
    machine: {
      device: device === 'cpu' ? 'cpu' : deviceName,
      version: packageVersion,
      versions: versions(),
      processor: cpus()[0]?.model,
    },
  };
}

/**
 * Why a file beside the result cannot be written, unless the disk is full. The run goes on: its
 * numbers do not depend on the file.
 * @throws SaeEvalError `storage-full`.
 */
function notWritten(thrown: unknown, { en, zh }: Bilingual): Bilingual {
  const error = asSaeEvalError(thrown, `The ${en}`);
  if (error.code === 'storage-full') throw error;
  return {
    en: `The ${en} could not be written (${error.message}); the run went on without it.`,
    zh: `无法写入${zh}（${error.message}）；本次运行在没有它的情况下继续。`,
  };
}

/** The chat template of the model, if the request reads messages. */
function chatTemplateOf({ dataset }: ResolvedRequest, model: string): ChatTemplate | null {
  return dataset.messagesField === undefined ? null : readChatTemplate(model);
}

/** The request with what was decided about BOS. */
function begun<R extends ResolvedRequest>(request: R, prependBos: boolean | undefined): R {
  return prependBos === undefined
    ? request
    : { ...request, dataset: { ...request.dataset, prependBos } };
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
    stop,
    onLoaded,
    onProgress,
    progressInterval = 250,
    onBatch,
    onResult,
    resultInterval = 0,
    onNotice,
    resolvePath = located,
    allowProgram = false,
    cache = new WeightCache(),
  } = options;
  const loans = cache.open();
  const files = new InputFiles();
  const validated = await validateRequest(input, {
    allowProgram,
    resolvePath: (name, thing) => {
      const path = resolvePath(name, thing);
      loans.see(path);
      files.see(path, name);
      return path;
    },
  });
  const device = resolveDevice(options.device ?? validated.request.device, devices(), freeOnDevice);
  const isCuda = device !== 'cpu';
  if (isCuda) {
    // Libraries that ask for "the" device must mean this one.
    cuda.setDevice(device);
    cuda.resetPeak(device);
  }
  const deviceName = nameOfDevice(device);
  const request: ResolvedRequest & { device: string } = { ...validated.request, device };
  await files.take(validated);
  const journal =
    options.journal === undefined
      ? null
      : new Journal(
          options.journal,
          identityOf(validated, { device, deviceName, allowProgram }),
          files,
        );
  const { state: recovered, refused } = journal?.recover() ?? { state: null, refused: null };
  const warnings: Bilingual[] = [...(recovered?.warnings ?? [])];
  const notice = (text: Bilingual): void => {
    warnings.push(text);
    onNotice?.(text);
  };
  if (refused !== null) notice(refused);
  signal?.throwIfAborted();

  setInferenceMode(true);
  setMemoryCache(memoryCacheBytes);
  const wanted = wantedOf(request);
  const products = recovered?.decisions.saeProducts ?? chooseProducts(request);
  threadsOfProcess();
  let engine: Engine | null = null;
  /** Keeps what a run that ends early has computed. */
  let keep = (): void => {};
  try {
    const model = await borrowModel(cache, loans, {
      path: validated.paths.model,
      device,
      dtype: request.dtype,
      allowProgram,
    });
    const tokenizer = await borrowTokenizer(loans, validated.paths.model);
    const evaluated = loadEvaluated(validated.saes, {
      model,
      specialIds: tokenizer.specialIds,
      device,
      request,
      wanted,
      products,
      turnedSkips: recovered?.turnedSkips,
      loans,
      resolvePath,
    });
    const decisions =
      recovered?.decisions ??
      decide(request, model, { evaluated, products, attentionBytes: model.attentionBytes });
    setNumThreads(decisions.threads);
    engine = new Engine({
      model,
      specials: tokenizer.specialIds,
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
    const begins = beginOfSamples(validated, tokenizer);
    const stream = await openSamples({
      ...request.dataset,
      path: validated.paths.dataset,
      name: request.dataset.path,
      batchSize: request.batchSize,
      tokenizer,
      vocabulary: model.vocabulary,
      template: chatTemplateOf(request, validated.paths.model),
      prependBos: begins.prependBos,
      skipBatches: accumulator.batchSizes.length,
    });
    const builder = new ResultBuilder({
      request: begun(request, begins.prependBos),
      model,
      evaluated,
      decisions,
      identity,
      wanted,
      deviceName,
      versions: versions(),
    });
    const progress = new ProgressReports({
      accumulator,
      stream,
      interval: progressInterval,
      secondsBefore: recovered?.seconds ?? 0,
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    let journaling = true;
    let written = accumulator.batchSizes.length;
    const write = (): void => {
      if (journal === null || !journaling) return;
      files.check();
      const { seconds } = progress;
      const turnedSkips = evaluated.flatMap(({ sae }, index) => (isSkipTurned(sae) ? [index] : []));
      const state: RunState = {
        ...identity,
        decisions,
        turnedSkips,
        seconds,
        warnings,
        accumulator,
      };
      try {
        journal.write(state);
      } catch (thrown) {
        notice(notWritten(thrown, { en: 'journal', zh: '运行日志' }));
        journaling = false;
      }
      written = accumulator.batchSizes.length;
    };
    keep = () => {
      if (accumulator.batchSizes.length > written) write();
    };

    let nextResult = -Infinity;
    // What was loaded is what was looked at.
    files.check({ loading: true });
    if (isCuda) files.weightsAreCopied();
    onLoaded?.();
    /** Samples of the last batch that were not done, if the run was stopped. */
    let left: readonly Sample[] | null = null;
    for await (const batch of stream) {
      const sums = await engine.batch(batch, {
        signal,
        stop,
        makeRoom: () => cache.clear() > 0,
        onSmaller: (microBatch) => {
          decisions.microBatch = microBatch;
          const short = memoryShort(device);
          if (!warnings.some(({ en }) => en === short.en)) notice(short);
        },
        onMicroBatch: (done) => progress.within(done),
      });
      if (sums.sequences < batch.length) {
        left = batch.slice(sums.sequences);
        // A run that continues begins with a whole batch.
        keep();
        keep = () => {};
        accumulator.merge(sums);
        break;
      }
      accumulator.merge(sums);
      synchronize(device);
      files.checkNowAndThen();
      if (journal?.due === true) write();
      onBatch?.(accumulator.sequences);
      progress.tell();
      const now = performance.now();
      if (onResult !== undefined && now >= nextResult) {
        onResult(builder.results(accumulator, { intervals: false }));
        // Numbers over everything so far take longer and longer.
        const cost = performance.now() - now;
        nextResult =
          resultInterval === 0 ? now : now + Math.max(resultInterval, cost / resultShare);
      }
    }
    files.check();
    const summary =
      left === null
        ? stream.summary
        : stoppedAfter(accumulator.sequences, {
            summary: stream.summary,
            total: stream.total,
            left,
          });
    try {
      if (options.sums !== undefined)
        writeSums(options.sums, {
          accumulator,
          request,
          evaluated,
          metrics: metricsNamed(request.metrics),
          id: identity.id,
          version: packageVersion,
        });
    } catch (thrown) {
      notice(notWritten(thrown, { en: 'file of sums', zh: '逐序列求和文件' }));
    }
    return builder.result(accumulator, {
      files: files.listing,
      data: { ...summary, warnings: [...begins.warnings, ...summary.warnings, ...warnings] },
      seconds: progress.seconds,
      isStopped: left !== null,
      devicePeakBytes: isCuda ? cuda.memory(device).peakBytes : undefined,
    });
  } catch (thrown) {
    const error = asSaeEvalError(thrown, 'The evaluation');
    if (error.code !== 'input-changed') keepQuietly(keep);
    if (signal?.aborted === true)
      throw new SaeEvalError('cancelled', 'The evaluation was cancelled.', { cause: thrown });
    throw error;
  } finally {
    engine?.dispose();
    loans.release();
    trimMemory();
    // Other processes may use the same GPU.
    if (isCuda) cuda.emptyCache();
  }
}

/** A run that ends early has another fault to tell. */
function keepQuietly(keep: () => void): void {
  try {
    keep();
  } catch {
    // The journal has the state before.
  }
}
