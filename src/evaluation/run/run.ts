/** One evaluation in this process: request → plan → passes over the data → result. */
import { randomUUID } from 'node:crypto';
import { openSamples } from '../../data/index.js';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { chooseProducts } from '../../sae/index.js';
import { Accumulator } from '../../metrics/accumulator.js';
import { metricsNamed } from '../../metrics/table.js';
import { cuda, trimMemory } from '../../torch/index.js';
import { packageVersion } from '../../version.js';
import type { Engine } from '../engine/engine.js';
import { computeBatches } from './compute-batches.js';
import { openInputs, runIdentity } from './inputs.js';
import { Journal } from './journal.js';
import { JournalKeeper, notWritten } from './journal-keeper.js';
import { LoadedRun } from './loaded-run.js';
import { ProgressReports, type BroughtBlocks } from './progress-reports.js';
import { weightsStreamed } from './residency.js';
import { stoppedAfter } from './stopped.js';
import { textOptions } from './text-options.js';
import { WholeRun } from './whole-run.js';
import { ResultBuilder } from '../result/result-builder.js';
import { writeSums } from '../result/sums-file.js';
import { writeLatentsOfRun } from '../latents/latents-of-run.js';
import type {
  Bilingual,
  EvaluationRequest,
  EvaluationResult,
  LatentsSummary,
  Progress,
  ResolvedRequest,
  SaeResult,
} from '../../schema/index.js';
import type { PathTable, ResolvePath } from '../request/path-table.js';
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
  /** File for the latents table, if the request has `latents` (docs/reference/latents.md). */
  latents?: string;
  /**
   * Device to compute on, one of those that the request allows; default: chosen by the request. It
   * is no part of a run's identity, so that a journal continues on another GPU of the same name.
   */
  device?: string;
  /** Something that the result's warnings will tell: a journal was not used, or not written. */
  onNotice?: (text: Bilingual) => void;
  resolvePath?: ResolvePath;
  /** The table of `resolvePath`, for other threads of the run; default: they are not used. */
  paths?: PathTable;
  /** Whether the model may be a TorchScript program, which is code of its author; default false. */
  allowProgram?: boolean;
  /** Keeps models and SAEs for later runs; default: nothing is kept. */
  cache?: WeightCache;
}

/** Most memory that this process held so far. */
export const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;

/** The blocks that an engine brings in. */
const broughtBy = (engine: Engine, { batchSize }: ResolvedRequest): BroughtBlocks => ({
  soFar: () => engine.brought,
  forFirst: (samples) => engine.blocksFor(samples, { batchSize }),
});

/** Calls with numbers as they stand, at most for a part of the time. */
function interimResults(
  { onResult, resultInterval = 0 }: Pick<RunOptions, 'onResult' | 'resultInterval'>,
  results: () => SaeResult[],
): () => void {
  let next = -Infinity;
  return () => {
    const now = performance.now();
    if (onResult === undefined || now < next) return;
    onResult(results());
    // Numbers over everything so far take longer and longer.
    const cost = performance.now() - now;
    next = resultInterval === 0 ? now : now + Math.max(resultInterval, cost / resultShare);
  };
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
  const { signal, stop, cache = new WeightCache() } = options;
  const inputs = await openInputs(input, { ...options, cache });
  const { validated, request, files } = inputs;
  const { device } = request;
  const isCuda = device !== 'cpu';
  const journal =
    options.journal === undefined ? null : new Journal(options.journal, runIdentity(inputs), files);
  const { state: recovered, refused } = journal?.recover() ?? { state: null, refused: null };
  const warnings: Bilingual[] = [...(recovered?.warnings ?? [])];
  const notice = (text: Bilingual): void => {
    if (warnings.some(({ en }) => en === text.en)) return;
    warnings.push(text);
    options.onNotice?.(text);
  };
  if (refused !== null) notice(refused);

  let opened: LoadedRun | null = null;
  let engine: Engine | null = null;
  let keeper: JournalKeeper | null = null;
  try {
    signal?.throwIfAborted();
    const loaded = (opened = await LoadedRun.load(inputs, {
      products: recovered?.decisions.saeProducts ?? chooseProducts(request),
      turnedSkips: recovered?.turnedSkips,
      streams: recovered?.decisions.superBatch !== undefined,
    }));
    const whole = await WholeRun.prepare(loaded, validated);
    const { model, tokenizer, begins } = loaded;
    const decisions = recovered?.decisions ?? loaded.decide();
    engine = loaded.engine(decisions);
    const accumulator = recovered?.accumulator ?? new Accumulator();
    const identity = {
      id: recovered?.id ?? options.id ?? randomUUID(),
      createdAt: recovered?.createdAt ?? options.createdAt ?? new Date().toISOString(),
    };
    const text = textOptions(validated, {
      tokenizer,
      vocabulary: model.vocabulary,
      prependBos: begins.prependBos,
    });
    const skipBatches = accumulator.batchSizes.length;
    const stream = await openSamples({ ...text, skipBatches });
    const { facts } = loaded;
    const builder = new ResultBuilder({
      facts,
      decisions,
      identity,
      turnedSkips: () => loaded.turnedSkips,
    });
    const progress = new ProgressReports({
      accumulator,
      stream,
      interval: options.progressInterval ?? 250,
      secondsBefore: recovered?.seconds ?? 0,
      work: await loaded.sampleWork(),
      brought: broughtBy(engine, request),
      ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    });
    keeper = new JournalKeeper({
      journal,
      files,
      accumulator,
      notice,
      state: () => ({
        ...identity,
        decisions,
        turnedSkips: loaded.turnedSkips,
        seconds: progress.seconds,
        warnings,
      }),
    });
    const tellResults = interimResults(options, () =>
      builder.results(accumulator, { intervals: false }),
    );
    // The files that were loaded are those that were looked at.
    files.check({ loading: true });
    if (isCuda && !model.isStreamed) files.weightsAreCopied();
    if (loaded.residency !== null) notice(weightsStreamed(loaded.residency, model));
    options.onLoaded?.();
    const left = await computeBatches(stream, {
      engine,
      accumulator,
      first: 0,
      device,
      decisions,
      files,
      cache,
      keeper,
      signal,
      stop,
      notice,
      onMicroBatch: (done) => progress.within(done),
      onBatch: () => {
        options.onBatch?.(accumulator.sequences);
        progress.tell();
        tellResults();
      },
    });
    // Whoever stops a run waits for what is done.
    const parts =
      left === null ? await whole.parts({ decisions, samples: accumulator.sequences, signal }) : {};
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
          saes: facts.saes,
          metrics: metricsNamed(request.metrics),
          id: identity.id,
          version: packageVersion,
          files: facts.files,
        });
    } catch (thrown) {
      notice(notWritten(thrown, { en: 'file of sums', zh: '逐序列求和文件' }));
    }
    let latents: LatentsSummary[] | undefined;
    try {
      if (options.latents !== undefined)
        latents = await writeLatentsOfRun(options.latents, {
          accumulator,
          evaluated: loaded.evaluated,
          saes: facts.saes,
          contexts: request.latents,
          seqLen: request.dataset.seqLen,
          text,
          tokenizer,
          id: identity.id,
          version: packageVersion,
          signal,
        });
    } catch (thrown) {
      signal?.throwIfAborted();
      notice(notWritten(thrown, { en: 'latents table', zh: '潜变量表' }));
    }
    const result = builder.result(accumulator, {
      data: { ...summary, warnings: [...begins.warnings, ...summary.warnings, ...warnings] },
      timing: { seconds: progress.seconds },
      peakBytes: peakBytes(),
      isStopped: left !== null,
      devicePeakBytes: isCuda ? cuda.memory(device).peakBytes : undefined,
    });
    return { ...result, ...parts, ...(latents === undefined ? {} : { latents }) };
  } catch (thrown) {
    const error = asSaeEvalError(thrown, 'The evaluation');
    if (error.code !== 'input-changed') keeper?.keepQuietly();
    if (signal?.aborted === true)
      throw new SaeEvalError('cancelled', 'The evaluation was cancelled.', { cause: thrown });
    throw error;
  } finally {
    engine?.dispose();
    opened?.close();
    inputs.loans.release();
    trimMemory();
    // Other processes may use the same GPU.
    if (isCuda) cuda.emptyCache();
  }
}
