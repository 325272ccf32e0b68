/**
 * Computes batches: one clean pass, all SAEs measured on it, all splices as lanes through the
 * remaining blocks, one comparison of logits. The only place where language model, SAEs and metrics
 * meet.
 */
import { SaeEvalError } from '../../errors.js';
import type { LanguageModel } from '../../lm/index.js';
import type { Sample } from '../../data/index.js';
import { Accumulator } from '../../metrics/accumulator.js';
import { cuda, scope, type DType } from '../../torch/index.js';
import type { Strategy, Wanted } from './strategies/strategy.js';
import { goThrough, HeldTraveler, sweepBlocks } from './block-sweep.js';
import type { Companions, OfferedMicroBatch } from './companions.js';
import type { MicroBatchPass } from './micro-batch-pass.js';
import { HostVectors, type MicroBatchSums } from './micro-batch-sums.js';
import { smallerMicroBatch, type MicroBatch } from './micro-batch.js';
import { PassMaker } from './pass-maker.js';
import { BatchTokens } from './peers/batch-tokens.js';
import { measuredRound, planRounds, type Round } from './rounds.js';
import { SharedWork } from './shared-work.js';
import { SweepPace } from './sweep-pace.js';
import { blocksBrought } from './super-batch.js';
import { nextSlices, together, type Amounts, type BatchSums, type Slice } from './slices.js';
import { VectorSums } from './vectors.js';
import { ZeroAblation, zeroLanes, type ZeroLane } from './zero-ablation.js';

export interface EngineOptions {
  model: LanguageModel;
  /** Ids of special tokens; default none. */
  specials?: ReadonlySet<number>;
  strategies: readonly Strategy[];
  wanted: Wanted;
  saeDtype: DType;
  microBatch: MicroBatch;
  /**
   * Micro-batches that go through a block before the next block is brought in, if the model's
   * blocks are streamed; default 1. It changes no bit.
   */
  superBatch?: number;
  /** First samples of the run that are spliced; the others are only measured. Default all. */
  spliceSamples?: number | undefined;
  /**
   * Others that compute micro-batches at the same time; default none. They change no bit. They
   * cannot hand over the tables of latents, nor tokens that wait for the mean of their batch. They
   * end here only if memory runs out: they belong to the caller.
   */
  companions?: Companions | null | undefined;
}

export interface BatchOptions {
  /** Index in the run of the first sample. */
  first: number;
  signal?: AbortSignal | undefined;
  /**
   * Ends the batch after the micro-batch under way, or the super-batch; its sums are then those of
   * fewer samples.
   */
  stop?: AbortSignal | undefined;
  /** Memory ran out: frees what is not needed now, and says whether that was anything. */
  makeRoom?: () => boolean;
  /** Memory ran out: from now on that much is computed at once. */
  onSmaller?: (microBatch: MicroBatch) => void;
  /** Memory ran out: from now on so many micro-batches go through a block together. */
  onFewer?: (superBatch: number) => void;
  /** Samples of the batch that are done, after each micro-batch but the last. */
  onMicroBatch?: ((samples: number) => void) | undefined;
}

/** A batch that was computed. */
export interface ComputedBatch {
  batch: readonly Sample[];
  /** Its sums, or those of its first samples. */
  sums: Accumulator;
  /** Samples that were read and not computed, if the run was stopped. */
  left: readonly Sample[] | null;
}

interface TakeOptions extends Pick<BatchOptions, 'signal' | 'onMicroBatch'> {
  /** Whether others are sure to follow. */
  continues: boolean;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #zero: ZeroAblation;
  /** Sites set to zero at some positions, which a pass over one token does not give. */
  readonly #zeroLanes: readonly ZeroLane[];
  readonly #passes: PassMaker;
  /** Samples of the run that are spliced. */
  readonly #spliced: number;
  readonly #measuredRounds: readonly Round[];
  readonly #pace = new SweepPace();
  readonly #shared: SharedWork | null;
  #rounds: readonly Round[];
  #microBatch: MicroBatch;
  #superBatch: number;

  constructor(options: EngineOptions) {
    const { model, strategies, microBatch, superBatch = 1 } = options;
    this.#options = options;
    this.#shared = options.companions ? new SharedWork(options.companions) : null;
    this.#zero = new ZeroAblation(model, strategies);
    this.#zeroLanes = zeroLanes(strategies);
    this.#microBatch = microBatch;
    this.#superBatch = model.isStreamed ? superBatch : 1;
    this.#spliced = this.#laneCount === 0 ? 0 : (options.spliceSamples ?? Infinity);
    this.#measuredRounds = [measuredRound(strategies)];
    this.#rounds = this.#plannedRounds();
    this.#passes = new PassMaker({ ...options, zero: this.#zero, zeroLanes: this.#zeroLanes });
  }

  #plannedRounds(): Round[] {
    const { strategies } = this.#options;
    return planRounds({ strategies, zeros: this.#zeroLanes }, { most: this.#microBatch.lanes });
  }

  /** How much is computed at once: less than at the beginning if memory ran out. */
  get microBatch(): MicroBatch {
    return this.#microBatch;
  }

  /** Blocks that were brought in so far, and seconds that were spent on waiting for them. */
  get brought(): { blocks: number; waited: number } {
    const { blocks, waited } = this.#pace;
    return { blocks, waited };
  }

  /** Computes that much at once from now on. */
  useMicroBatch(microBatch: MicroBatch): void {
    if (JSON.stringify(microBatch) === JSON.stringify(this.#microBatch)) return;
    this.#microBatch = microBatch;
    this.#rounds = this.#plannedRounds();
  }

  /**
   * Most blocks that the first samples of a run bring in: as many if each text fills its sequence.
   * 0 if all are there.
   */
  blocksFor(samples: number, { batchSize }: { batchSize: number }): number {
    const { model } = this.#options;
    if (!model.isStreamed) return 0;
    const blocks = {
      spliced: this.#rounds.length * model.layers,
      measured: this.#measuredRounds[0]!.depth ?? model.layers,
    };
    return blocksBrought(samples, { ...this.#amounts, batchSize, blocks });
  }

  get #amounts(): Amounts {
    return {
      sequences: this.#microBatch.sequences,
      isUnpadded: this.#passes.canUnpad,
      superBatch: this.#superBatch,
      spliced: this.#spliced,
    };
  }

  #passOf({ samples, isSpliced }: OfferedMicroBatch): MicroBatchPass {
    const rounds = isSpliced ? this.#rounds : this.#measuredRounds;
    return this.#passes.passOf(samples, { rounds, microBatch: this.#microBatch });
  }

  /** The sums of one batch, as {@link each} gives them. */
  async batch(samples: readonly Sample[], options: BatchOptions): Promise<Accumulator> {
    const [sums] = await this.#compute([samples], options);
    return sums!.accumulator;
  }

  /**
   * The sums of batches, one after the other: of all samples, or of those that were done when
   * `stop` aborted; then it ends. Gives the event loop turns; ends there when aborted. What memory
   * is short for begins again with less at once.
   * @throws SaeEvalError `device-memory` if one sequence by one lane does not fit.
   */
  async *each(
    batches: AsyncIterable<readonly Sample[]>,
    options: BatchOptions,
  ): AsyncGenerator<ComputedBatch> {
    let { first } = options;
    for await (const group of together(batches, () => this.#amounts)) {
      const all = await this.#compute(group, { ...options, first });
      first += group.reduce((sum, batch) => sum + batch.length, 0);
      for (const [n, { samples: batch, accumulator: sums, done }] of all.entries()) {
        const isDone = done === batch.length;
        const others = group.slice(n + 1).flat();
        yield { batch, sums, left: isDone ? null : [...batch.slice(done), ...others] };
        if (!isDone) return;
      }
      const others = group.slice(all.length).flat();
      if (others.length === 0) continue;
      yield { batch: [], sums: new Accumulator(), left: others };
      return;
    }
  }

  /** The sums of the batches that were begun. */
  async #compute(
    batches: readonly (readonly Sample[])[],
    options: BatchOptions,
  ): Promise<BatchSums[]> {
    const { signal, stop, makeRoom, onSmaller, onFewer, onMicroBatch } = options;
    let { first } = options;
    const all = batches.map((samples): BatchSums => {
      const place = { samples, first };
      first += samples.length;
      return {
        ...place,
        accumulator: new Accumulator(),
        vectors: new VectorSums(),
        hostVectors: new HostVectors(),
        tokens: new BatchTokens(),
        done: 0,
      };
    });
    const left = (): BatchSums[] => all.filter(({ samples, done }) => done < samples.length);
    try {
      for (;;) {
        const [next] = left();
        if (next === undefined) break;
        await new Promise(setImmediate);
        signal?.throwIfAborted();
        if (stop?.aborted === true) break;
        try {
          if (this.#shared !== null) {
            await this.#share(left(), this.#shared, options);
            continue;
          }
          const slices = nextSlices(left(), this.#amounts);
          const { of, isLast } = slices.at(-1)!;
          const continues = !isLast || of !== all.at(-1);
          await this.#take(slices, { signal, continues, onMicroBatch });
        } catch (thrown) {
          if (!(thrown instanceof SaeEvalError) || thrown.code !== 'device-memory') throw thrown;
          // Blocks of the larger micro-batch's sizes would stand in the way.
          cuda.emptyCache();
          this.#shared?.close();
          if (makeRoom?.() === true) continue;
          if (this.#superBatch > 1) {
            this.#superBatch = Math.floor(this.#superBatch / 2);
            onFewer?.(this.#superBatch);
            continue;
          }
          this.useMicroBatch(this.#smallerAfter(thrown, next.samples[0]!.ids.length));
          onSmaller?.(this.#microBatch);
          continue;
        }
        if (next.done < next.samples.length) onMicroBatch?.(next.done);
      }
      const begun = all.filter(({ done }, n) => n === 0 || done > 0);
      for (const { samples, accumulator, vectors, hostVectors, tokens, done } of begun) {
        if (done < samples.length) {
          vectors.moveTo(accumulator);
          hostVectors.moveTo(accumulator);
          tokens.moveTo(accumulator);
        }
        if (done > 0) accumulator.endBatch(done);
      }
      return begun;
    } finally {
      for (const { vectors, tokens } of all) {
        vectors.dispose();
        tokens.dispose();
      }
    }
  }

  /** Computes the micro-batches of some batches together with companions. */
  #share(
    batches: readonly BatchSums[],
    work: SharedWork,
    { signal, stop, onMicroBatch }: BatchOptions,
  ): Promise<void> {
    const slices = nextSlices(batches, { ...this.#amounts, superBatch: Infinity });
    return work.share({
      microBatches: slices,
      microBatch: this.#microBatch,
      compute: (place) => this.microBatchSums(slices[place]!),
      onSums: (place, sums) => {
        const { of, samples, isLast } = slices[place]!;
        this.#append(of, sums, { isLast });
        of.done += samples.length;
        if (of.done < of.samples.length) onMicroBatch?.(of.done);
      },
      signal,
      stop,
    });
  }

  /** The sums of one micro-batch. */
  microBatchSums({ samples, isSpliced }: OfferedMicroBatch): MicroBatchSums {
    goThrough(this.#zeroFor(isSpliced));
    return scope(() => {
      const pass = this.#passOf({ samples, isSpliced });
      const accumulator = new Accumulator();
      const vectors = new VectorSums();
      try {
        goThrough([pass]);
        pass.flush(accumulator, vectors, { isLast: false });
        this.#passes.appendCounts(pass.positions, accumulator);
        return { columns: accumulator.state().columns, vectors: vectors.take() };
      } finally {
        vectors.dispose();
        pass.dispose();
      }
    });
  }

  /** Computes micro-batches and adds their sums, in their order. */
  async #take(
    slices: readonly Slice[],
    { signal, continues, onMicroBatch }: TakeOptions,
  ): Promise<void> {
    const { model } = this.#options;
    if (model.isStreamed) {
      await this.#sweep(slices, { signal, continues, onMicroBatch });
      return;
    }
    goThrough(this.#zeroOf(slices));
    for (const slice of slices)
      scope(() => {
        const pass = this.#passOf(slice);
        try {
          goThrough([pass]);
          this.#add(pass, slice);
        } finally {
          pass.dispose();
        }
        return null;
      });
  }

  /** The same with blocks that are streamed: each is brought in once for all micro-batches. */
  async #sweep(
    slices: readonly Slice[],
    { signal, continues, onMicroBatch }: TakeOptions,
  ): Promise<void> {
    const { model } = this.#options;
    const passes: MicroBatchPass[] = [];
    const held: HeldTraveler[] = [];
    try {
      for (const slice of slices)
        held.push(
          new HeldTraveler(() => {
            const pass = this.#passOf(slice);
            passes.push(pass);
            return pass;
          }),
        );
      const [{ of }] = slices as readonly [Slice];
      const before = of.done;
      const count = slices.reduce((sum, { samples }) => sum + samples.length, 0);
      await sweepBlocks(model, [...this.#zeroOf(slices), ...held], {
        signal,
        continues,
        pace: this.#pace,
        onBlock: (part) => onMicroBatch?.(before + Math.floor(count * part)),
      });
      for (const [n, slice] of slices.entries()) this.#add(passes[n]!, slice);
    } finally {
      for (const pass of passes) pass.dispose();
      for (const one of held) one.dispose();
    }
  }

  /** The zero ablation, if these are the first that need it. */
  #zeroOf(slices: readonly Slice[]): ZeroAblation[] {
    return this.#zeroFor(slices.some(({ isSpliced }) => isSpliced));
  }

  #zeroFor(isSpliced: boolean): ZeroAblation[] {
    return isSpliced && !this.#zero.isDone ? [this.#zero] : [];
  }

  /** Vectors of the weights, once in a run: a vector adds up what its shards have. */
  #ofWeights({ first, done }: BatchSums): (readonly [key: string, values: Float64Array])[] {
    if (first > 0 || done > 0) return [];
    return this.#options.strategies.flatMap((strategy) => strategy.ofWeights?.() ?? []);
  }

  /** Adds the sums of the next micro-batch of a batch. */
  #append(of: BatchSums, sums: MicroBatchSums, { isLast }: Pick<Slice, 'isLast'>): void {
    const { accumulator, hostVectors } = of;
    const ofWeights = this.#ofWeights(of);
    for (const [key, values] of sums.columns) accumulator.append(key, values);
    hostVectors.add(sums.vectors);
    if (isLast) hostVectors.moveTo(accumulator);
    for (const [key, values] of ofWeights) accumulator.add(key, values);
  }

  #add(pass: MicroBatchPass, { of, samples, isLast }: Slice): void {
    const { accumulator, vectors, tokens } = of;
    const ofWeights = this.#ofWeights(of);
    pass.flush(accumulator, vectors, { isLast, tokens, first: of.first + of.done });
    for (const [key, values] of ofWeights) accumulator.add(key, values);
    this.#passes.appendCounts(pass.positions, accumulator);
    of.done += samples.length;
  }

  /** @throws SaeEvalError `device-memory` if nothing smaller is left. */
  #smallerAfter(thrown: SaeEvalError, seqLen: number): MicroBatch {
    const smaller = smallerMicroBatch(this.#microBatch, { lanes: this.#laneCount, seqLen });
    if (smaller === null)
      throw new SaeEvalError(
        'device-memory',
        `One sequence by one lane does not fit on ${this.#options.model.device} beside the ` +
          `weights: ${thrown.message}. Use a shorter dataset.seqLen, a smaller dtype, or a ` +
          'device with more memory.',
        { cause: thrown },
      );
    return smaller;
  }

  get #laneCount(): number {
    const { strategies } = this.#options;
    return strategies.reduce((sum, { lanes }) => sum + lanes.length, this.#zeroLanes.length);
  }

  dispose(): void {
    this.#zero.dispose();
  }
}
