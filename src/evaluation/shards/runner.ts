/** Computes shards of a plan on one device, whose model and SAEs stay loaded between them. */
import { hostname } from 'node:os';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import type { Sample } from '../../data/index.js';
import { Accumulator } from '../../metrics/accumulator.js';
import { chooseProducts } from '../../sae/index.js';
import type { Bilingual, EvaluationRequest, ResolvedRequest } from '../../schema/index.js';
import { cuda, trimMemory } from '../../torch/index.js';
import { addWeights } from '../latents/add-weights.js';
import { computeBatches } from '../run/compute-batches.js';
import { machineKind, openInputs, type InputOptions, type RunInputs } from '../run/inputs.js';
import { Journal, type Decisions } from '../run/journal.js';
import { JournalKeeper } from '../run/journal-keeper.js';
import { LoadedRun } from '../run/loaded-run.js';
import { weightsStreamed } from '../run/residency.js';
import { peakBytes } from '../run/run.js';
import { machineInWords, type Decided } from './decided.js';
import type { FolderStore } from './folder-store.js';
import { checkJoins } from './identity.js';
import { samplesOf, type Shard, type ShardPlan } from './plan.js';
import { readTokens } from './tokens-file.js';

export interface RunnerOptions extends InputOptions {
  store: FolderStore;
  plan: ShardPlan;
  /** Place of the SAEs in the plan's groups. */
  group: number;
  /** The request as this process finds its files. */
  request: EvaluationRequest | ResolvedRequest;
  /** Whether a kind of machine will do that did not begin the run; the result then says so. */
  anyMachine?: boolean;
}

export interface ShardOptions {
  signal?: AbortSignal | undefined;
  /** Ends after the micro-batch under way; whole batches are kept for whoever continues here. */
  stop?: AbortSignal | undefined;
  /** Samples of the shard that are done. */
  onProgress?: (samples: number) => void;
  onNotice?: (text: Bilingual) => void;
  /** Whether a shard that is done is computed again, to compare its bits. */
  repeat?: boolean;
}

export interface ShardDone {
  /** `there`: somebody else was first. */
  outcome: 'written' | 'there';
  samples: number;
  seconds: number;
}

/** Milliseconds between looks at the mark that cancels a run. */
const betweenLooks = 1000;

export class ShardRunner {
  private constructor(
    private readonly options: RunnerOptions,
    private readonly inputs: RunInputs,
    private readonly loaded: LoadedRun,
    private readonly decided: Decided,
  ) {}

  /**
   * Loads what the shards of a group need.
   * @throws SaeEvalError `machine-differs` if another kind of machine began the run, and whatever a
   *   run throws.
   */
  static async open(options: RunnerOptions): Promise<ShardRunner> {
    const { store, plan, group } = options;
    const inputs = await openInputs(options.request, options);
    try {
      checkJoins(inputs, plan, store.folder);
      const there = store.decided(group);
      if (there !== null) checkMachine(there, inputs, options);
      let loaded = await load(inputs, options, there);
      const own = there ?? (await decideFor(loaded, inputs, options));
      const decided = there ?? store.putDecided(own);
      checkMachine(decided, inputs, options);
      // Somebody else was first, and decided something that loading depends on.
      if (
        decided.decisions.saeProducts !== own.decisions.saeProducts ||
        decided.turnedSkips.length > 0
      ) {
        loaded.close();
        loaded = await load(inputs, options, decided);
      }
      inputs.files.check({ loading: true });
      if (inputs.request.device !== 'cpu' && !loaded.model.isStreamed)
        inputs.files.weightsAreCopied();
      return new ShardRunner(options, inputs, loaded, decided);
    } catch (thrown) {
      release(inputs);
      throw thrown;
    }
  }

  /** Kind of the machine that it computes on, in one line. */
  get machine(): string {
    return machineInWords(machineKind(this.inputs));
  }

  /**
   * Computes a shard and puts its result.
   * @throws SaeEvalError `cancelled`, `preempted` if it was stopped, `shard-differs`.
   */
  async run(index: number, options: ShardOptions = {}): Promise<ShardDone> {
    const { store, plan } = this.options;
    const shard = plan.shards[index];
    if (shard === undefined || shard.group !== this.options.group)
      throw new SaeEvalError('internal', `The runner has no shard ${index}.`);
    const done = { samples: samplesOf(plan, shard), seconds: 0 };
    if (options.repeat !== true && store.has(index)) return { outcome: 'there', ...done };
    store.throwIfCancelled();
    const ends = new AbortController();
    const onAbort = (): void => ends.abort(options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const looks = setInterval(() => {
      if (store.isCancelled) ends.abort();
    }, betweenLooks);
    try {
      if (options.signal?.aborted === true) onAbort();
      return { ...done, ...(await this.#compute(shard, { ...options, signal: ends.signal })) };
    } catch (thrown) {
      if (!ends.signal.aborted) throw asSaeEvalError(thrown, `Shard ${index}`);
      store.throwIfCancelled();
      throw ends.signal.reason instanceof SaeEvalError
        ? ends.signal.reason
        : new SaeEvalError('cancelled', 'The evaluation was cancelled.', { cause: thrown });
    } finally {
      clearInterval(looks);
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  async #compute(
    shard: Shard,
    { signal, stop, onProgress, onNotice }: ShardOptions,
  ): Promise<Pick<ShardDone, 'outcome' | 'seconds'>> {
    const { store, plan, cache } = this.options;
    const { inputs, loaded } = this;
    const { device } = inputs.request;
    const journal = new Journal(
      store.partialPath(shard.index),
      { request: [plan.digest, shard.index], machine: machineKind(inputs) },
      inputs.files,
    );
    const recovered = journal.recover().state;
    const decisions: Decisions = structuredClone(recovered?.decisions ?? this.decided.decisions);
    // How many go through a block together changes no bit: a device of less memory decides for
    // itself.
    if (loaded.model.isStreamed) decisions.superBatch ??= loaded.decide().superBatch;
    const accumulator = recovered?.accumulator ?? new Accumulator();
    const warnings: Bilingual[] = [...(recovered?.warnings ?? [])];
    const notice = (text: Bilingual): void => {
      if (warnings.some(({ en }) => en === text.en)) return;
      warnings.push(text);
      onNotice?.(text);
    };
    if (loaded.residency !== null) notice(weightsStreamed(loaded.residency, loaded.model));
    const began = performance.now();
    const seconds = (): number => (recovered?.seconds ?? 0) + (performance.now() - began) / 1000;
    const keeper = new JournalKeeper({
      journal,
      files: inputs.files,
      accumulator,
      notice,
      state: () => ({
        id: plan.id,
        createdAt: plan.createdAt,
        decisions,
        turnedSkips: this.decided.turnedSkips,
        seconds: seconds(),
        warnings,
      }),
    });
    const engine = loaded.engine(decisions);
    if (device !== 'cpu') cuda.resetPeak(device);
    try {
      const left = await computeBatches(this.#batches(shard, accumulator.batchSizes.length), {
        engine,
        accumulator,
        first: shard.batches[0] * plan.request.batchSize,
        device,
        decisions,
        files: inputs.files,
        cache,
        keeper,
        signal,
        stop,
        notice,
        onMicroBatch: (samples) => onProgress?.(accumulator.sequences + samples),
        onBatch: () => onProgress?.(accumulator.sequences),
      });
      if (left !== null || isAborted(stop)) {
        keeper.keep();
        if (accumulator.sequences < samplesOf(plan, shard))
          throw new SaeEvalError(
            'preempted',
            `Shard ${shard.index} was stopped; its finished batches are kept in ${store.folder}.`,
          );
      }
      inputs.files.check();
      // One shard of a group has the columns of the weights.
      if (shard.batches[0] === 0) await addWeights(accumulator, loaded.evaluated, { signal });
    } catch (thrown) {
      if (asSaeEvalError(thrown).code !== 'input-changed') keeper.keepQuietly();
      throw thrown;
    } finally {
      engine.dispose();
    }
    const took = seconds();
    const outcome = store.put({
      plan: plan.digest,
      shard: shard.index,
      host: hostname(),
      machine: this.machine,
      seconds: took,
      microBatch: decisions.microBatch,
      warnings,
      peakBytes: peakBytes(),
      ...(device === 'cpu' ? {} : { devicePeakBytes: cuda.memory(device).peakBytes }),
      accumulator,
    });
    store.removePartials(shard.index);
    return { outcome, seconds: took };
  }

  async *#batches({ batches }: Shard, done: number): AsyncGenerator<Sample[]> {
    for (const batch of tokensOf(this.options, batches).slice(done)) yield batch;
  }

  /** Gives everything back that was loaded. */
  close(): void {
    this.loaded.close();
    release(this.inputs);
  }
}

const isAborted = (signal: AbortSignal | undefined): boolean => signal?.aborted === true;

function release(inputs: RunInputs): void {
  inputs.loans.release();
  trimMemory();
  if (inputs.request.device !== 'cpu') cuda.emptyCache();
}

function tokensOf(
  { store, plan }: Pick<RunnerOptions, 'store' | 'plan'>,
  batches: readonly [number, number],
): Sample[][] {
  const { request, tokens } = plan;
  const range = tokens.ranges.find((one) => one.batches[0] === batches[0])!;
  return readTokens(store.tokensPath, {
    seqLen: request.dataset.seqLen,
    recordBytes: tokens.recordBytes,
    batchSize: request.batchSize,
    samples: tokens.samples,
    ...range,
  });
}

/** @throws SaeEvalError `machine-differs`. */
function checkMachine(
  { machine }: Decided,
  inputs: RunInputs,
  { anyMachine = false, store }: RunnerOptions,
): void {
  const own = machineKind(inputs);
  if (anyMachine || JSON.stringify(own) === JSON.stringify(machine)) return;
  throw new SaeEvalError(
    'machine-differs',
    `The run in ${store.folder} was begun on ${machineInWords(machine)}; this machine is ` +
      `${machineInWords(own)}. Their sums differ in the last bits. Compute on machines of one ` +
      'kind, or give --machine any, which the result will say.',
  );
}

function load(
  inputs: RunInputs,
  { plan, group }: RunnerOptions,
  decided: Decided | null,
): Promise<LoadedRun> {
  return LoadedRun.load(inputs, {
    products: decided?.decisions.saeProducts ?? chooseProducts(inputs.request),
    turnedSkips: decided?.turnedSkips,
    streams: decided?.decisions.superBatch !== undefined,
    only: plan.groups[group],
  });
}

/** Decides for everybody. Skip connections of open orientation need the first texts. */
async function decideFor(
  loaded: LoadedRun,
  inputs: RunInputs,
  options: RunnerOptions,
): Promise<Decided> {
  const decisions = loaded.decide();
  if (loaded.hasOpenSkips) {
    const engine = loaded.engine(decisions);
    try {
      const [first] = tokensOf(options, options.plan.tokens.ranges[0]!.batches);
      await engine.batch(first!.slice(0, decisions.microBatch.sequences), { first: 0 });
    } finally {
      engine.dispose();
    }
  }
  const { measured } = await loaded.sampleWork();
  return {
    plan: options.plan.digest,
    group: options.group,
    ...(measured === 1 ? {} : { measuredWork: measured }),
    machine: machineKind(inputs),
    decisions,
    turnedSkips: loaded.turnedSkips,
    facts: loaded.facts,
  };
}
