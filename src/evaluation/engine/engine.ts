/**
 * Computes batches: one clean pass, all SAEs measured on it, all splices as lanes through the
 * remaining blocks, one comparison of logits. The only place where language model, SAEs and metrics
 * meet.
 */
import { SaeEvalError } from '../../errors.js';
import type { LanguageModel } from '../../lm/index.js';
import type { Sample } from '../../data/index.js';
import { Accumulator } from '../../metrics/accumulator.js';
import type { Protocol } from '../../metrics/metric.js';
import { cuda, fromTypedArray, ops, scope, type DType, type Tensor } from '../../torch/index.js';
import { protocolNames } from '../../schema/index.js';
import type { Part, Strategy, Wanted } from './strategies/strategy.js';
import { CleanPass } from './clean-pass.js';
import { cleanKey, lengthKey } from '../../metrics/keys.js';
import { Collector } from './collector.js';
import { everyPosition, type PositionSet } from '../positions.js';
import { laneGroups } from './lane-groups.js';
import { Positions, type MaskName } from './positions.js';
import { VectorSums } from './vectors.js';
import { compareLogits } from './compare-logits.js';
import { runLanes, type Lane, type SweptLanes } from './lanes.js';
import { measureLogits } from './measure.js';
import { smallerMicroBatch, type MicroBatch } from './micro-batch.js';
import { wholeZeroSites, ZeroAblation, zeroAt, zeroLanes, type ZeroLane } from './zero-ablation.js';

export interface EngineOptions {
  model: LanguageModel;
  /** Ids of special tokens; default none. */
  specials?: ReadonlySet<number>;
  strategies: readonly Strategy[];
  wanted: Wanted;
  saeDtype: DType;
  microBatch: MicroBatch;
}

export interface BatchOptions {
  signal?: AbortSignal | undefined;
  /** Ends the batch after the micro-batch under way; its sums are then those of fewer samples. */
  stop?: AbortSignal | undefined;
  /** Memory ran out: frees what is not needed now, and says whether that was anything. */
  makeRoom?: () => boolean;
  /** Memory ran out: from now on that much is computed at once. */
  onSmaller?: (microBatch: MicroBatch) => void;
  /** Samples of the batch that are done, after each micro-batch but the last. */
  onMicroBatch?: (samples: number) => void;
}

/** The sums of the micro-batches of a batch that are done. */
interface BatchSums {
  accumulator: Accumulator;
  vectors: VectorSums;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #keep: ReadonlySet<number>;
  readonly #zero: ZeroAblation;
  /** Sites set to zero at some positions, which a pass over one token does not give. */
  readonly #zeroLanes: readonly ZeroLane[];
  readonly #sets: ReadonlyMap<string, PositionSet>;
  #microBatch: MicroBatch;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#keep = new Set(options.strategies.flatMap(({ residuals }) => residuals));
    this.#zero = new ZeroAblation(options.model, options.strategies);
    this.#zeroLanes = zeroLanes(options.strategies);
    this.#microBatch = options.microBatch;
    this.#sets = new Map(
      options.strategies.flatMap(({ variants, lanes, positions }) =>
        [...variants, ...lanes.flatMap(({ targets }) => targets)].map(
          ({ owner }) => [owner, positions] as const,
        ),
      ),
    );
  }

  /** How much is computed at once: less than at the beginning if memory ran out. */
  get microBatch(): MicroBatch {
    return this.#microBatch;
  }

  /**
   * The sums of one batch of samples, or of those that were done when `stop` aborted. Gives the
   * event loop a turn between micro-batches; ends there when aborted. A micro-batch for which
   * memory is short begins again as a smaller one.
   * @throws SaeEvalError `device-memory` if one sequence by one lane does not fit.
   */
  async batch(
    samples: readonly Sample[],
    { signal, stop, makeRoom, onSmaller, onMicroBatch }: BatchOptions = {},
  ): Promise<Accumulator> {
    const sums: BatchSums = { accumulator: new Accumulator(), vectors: new VectorSums() };
    let from = 0;
    try {
      while (from < samples.length) {
        await new Promise(setImmediate);
        signal?.throwIfAborted();
        if (stop?.aborted === true) {
          sums.vectors.moveTo(sums.accumulator);
          break;
        }
        const end = Math.min(samples.length, from + this.#microBatch.sequences);
        const isLast = end === samples.length;
        try {
          scope(() => {
            this.#compute(samples.slice(from, end), sums, { isLast });
            return null;
          });
        } catch (thrown) {
          if (!(thrown instanceof SaeEvalError) || thrown.code !== 'device-memory') throw thrown;
          // Blocks of the larger micro-batch's sizes would stand in the way.
          cuda.emptyCache();
          if (makeRoom?.() === true) continue;
          this.#microBatch = this.#smallerAfter(thrown, samples[0]!.ids.length);
          onSmaller?.(this.#microBatch);
          continue;
        }
        from = end;
        if (!isLast) onMicroBatch?.(from);
      }
    } finally {
      sums.vectors.dispose();
    }
    if (from > 0) sums.accumulator.endBatch(from);
    return sums.accumulator;
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

  #compute(
    samples: readonly Sample[],
    { accumulator, vectors }: BatchSums,
    { isLast }: { isLast: boolean },
  ): void {
    const { model, strategies, wanted, saeDtype } = this.#options;
    const lengths = samples.map(({ length }) => length);
    // Real positions never see padding, so where padded positions do not count, columns without a
    // real token are left out.
    const T = wanted.protocols.has('reference') ? samples[0]!.ids.length : Math.max(...lengths);
    const device = model.device;
    const ids = fromTypedArray(
      BigInt64Array.from(samples.flatMap(({ ids: all }) => Array.from(all.subarray(0, T), BigInt))),
      [samples.length, T],
      { device },
    );
    const positions = new Positions({
      samples,
      T,
      device,
      ...(this.#options.specials === undefined ? {} : { specials: this.#options.specials }),
      ahead: this.#masks,
    });
    const into = new Collector({
      positions,
      setOf: (owner) => this.#sets.get(owner) ?? everyPosition,
      ...(wanted.metrics === undefined ? {} : { table: wanted.metrics }),
    });
    const context = model.context(lengths, T, {
      seqLen: samples[0]!.ids.length,
      paddedQueries: wanted.protocols.has('reference'),
    });
    try {
      const clean = new CleanPass({ model, ids, context, keep: this.#keep, saeDtype });
      const zeros = this.#zeroLanes;
      const groups = laneGroups(
        [...strategies.map(({ lanes }) => lanes.length), ...zeros.map(() => 1)],
        this.#microBatch.lanes ?? Infinity,
      );
      groups.forEach((parts, index) => {
        const lanes = parts.flatMap(({ source, part }): Lane[] => {
          const strategy = strategies[source];
          if (strategy !== undefined) return enter(strategy, { clean, into, part });
          const lane = zeros[source - strategies.length]!;
          const excluded = positions.excluded(lane.positions);
          return [{ ...lane, state: zeroAt(excluded, clean.residual(lane.start)) }];
        });
        if (index === groups.length - 1) clean.releaseSites();
        if (lanes.length === 0) return;
        scope(() => {
          const { lanesPerCall } = this.#microBatch;
          const swept = runLanes({ model, context, lanes, lanesPerCall });
          this.#compare({ clean, lanes, ids, into, swept, isFirst: index === 0 });
          return null;
        });
      });
      into.flush(accumulator, vectors, { isLast });
      this.#appendCounts(positions, accumulator);
    } finally {
      into.dispose();
      positions.dispose();
      context.dispose();
    }
  }

  #compare({
    clean,
    lanes,
    ids,
    into,
    swept: { hidden, order },
    isFirst,
  }: {
    clean: CleanPass;
    lanes: readonly Lane[];
    ids: Tensor;
    into: Collector;
    swept: SweptLanes;
    /** Whether what all lanes share is collected. */
    isFirst: boolean;
  }): void {
    const { model, strategies, wanted } = this.#options;
    const microBatch = this.#microBatch;
    const rows = (h: Tensor): Tensor => h.reshape([-1, model.width]); // [N, d]
    // The last position has no next token: its label is never counted.
    const labels = ops.roll(ids, [-1], [1]).reshape([-1]); // [N]
    const distances = compareLogits({
      model,
      clean: rows(clean.finalHidden),
      lanes: rows(hidden),
      labels,
      agreeing: new Set(order.flatMap((lane, at) => (lanes[lane]!.agreement ? [at] : []))),
      lanesPerCall: microBatch.lanesPerCall,
      logits: microBatch.logits,
    });
    for (const protocol of isFirst ? wanted.protocols : [])
      for (const set of this.#setsUnder(protocol))
        into.tokens(cleanKey(protocol, 'ceClean', set.key), {
          mask: into.positions.mask(protocol, 'nextPositions', set),
          values: distances.ceClean,
        });
    order.forEach((lane, place) => {
      const { targets, zero } = lanes[lane]!;
      const found = distances.lanes[place]!;
      measureLogits({ logits: zero ? { ce: found.ce } : found, targets }, into);
    });
    if (!isFirst) return;
    const zeroCrossEntropy = new Map<number, Tensor>();
    for (const { layer, targets } of wholeZeroSites(strategies)) {
      if (!zeroCrossEntropy.has(layer))
        zeroCrossEntropy.set(layer, this.#zero.crossEntropy(layer, labels));
      measureLogits({ logits: { ce: zeroCrossEntropy.get(layer)! }, targets }, into);
    }
  }

  /** The masks of a micro-batch. */
  get #masks(): MaskName[] {
    const sets = [everyPosition, ...this.#sets.values()];
    return protocolNames.flatMap((protocol) =>
      (['positions', 'nextPositions'] as const).flatMap((over) =>
        sets.map((set) => ({ protocol, over, set })),
      ),
    );
  }

  /** The sets of positions that are counted under a protocol, that of all positions first. */
  #setsUnder(protocol: Protocol): readonly PositionSet[] {
    if (protocol === 'reference') return [everyPosition];
    const others = new Map([...this.#sets.values()].map((set) => [set.key, set]));
    others.delete(everyPosition.key);
    return [everyPosition, ...others.values()];
  }

  #appendCounts(positions: Positions, accumulator: Accumulator): void {
    accumulator.append(lengthKey, positions.lengths);
    // Both protocols' counts whatever was asked for: the summary of the data needs the real tokens.
    for (const protocol of protocolNames)
      for (const over of ['positions', 'nextPositions'] as const)
        for (const set of this.#setsUnder(protocol))
          accumulator.append(
            cleanKey(protocol, over, set.key),
            positions.counts(protocol, over, set),
          );
    accumulator.append(cleanKey('strict', 'specials'), positions.specialCounts());
  }
}

/** The lanes of a part that a strategy declares, each with the state in which it begins. */
function enter(
  strategy: Strategy,
  { clean, into, part }: { clean: CleanPass; into: Collector; part: Part },
): Lane[] {
  const starts = strategy.enter(clean, into, part);
  const declared = strategy.lanes.filter((_, lane) => part.takes(lane));
  if (starts.length !== declared.length)
    throw new Error(`${starts.length} lanes began of ${declared.length} declared`);
  return declared.map((lane, index) => ({ ...lane, ...starts[index]! }));
}
