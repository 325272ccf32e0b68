/**
 * Computes batches: one clean pass, all SAEs measured on it, all splices as lanes through the
 * remaining blocks, one comparison of logits. The only place where language model, SAEs and metrics
 * meet.
 */
import type { LanguageModel } from '../../lm/index.js';
import type { Sample } from '../../data/index.js';
import { Accumulator } from '../../metrics/accumulator.js';
import type { Protocol } from '../../metrics/metric.js';
import { fromTypedArray, ops, scope, type DType, type Tensor } from '../../torch/index.js';
import { protocolNames } from '../../schema/index.js';
import type { Strategy, Wanted } from './strategies/strategy.js';
import { CleanPass } from './clean-pass.js';
import { cleanKey, lengthKey } from '../../metrics/keys.js';
import { Collector } from './collector.js';
import { everyPosition, type PositionSet } from '../positions.js';
import { Positions } from './positions.js';
import { compareLogits } from './compare-logits.js';
import { runLanes, type Lane, type SweptLanes } from './lanes.js';
import { measureLogits } from './measure.js';
import type { MicroBatch } from './micro-batch.js';
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
  /** Samples of the batch that are done, after each micro-batch but the last. */
  onMicroBatch?: (samples: number) => void;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #keep: ReadonlySet<number>;
  readonly #zero: ZeroAblation;
  /** Sites set to zero at some positions, which a pass over one token does not give. */
  readonly #zeroLanes: readonly ZeroLane[];
  readonly #sets: ReadonlyMap<string, PositionSet>;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#keep = new Set(options.strategies.flatMap(({ residuals }) => residuals));
    this.#zero = new ZeroAblation(options.model, options.strategies);
    this.#zeroLanes = zeroLanes(options.strategies);
    this.#sets = new Map(
      options.strategies.flatMap(({ variants, positions }) =>
        variants.map(({ owner }) => [owner, positions] as const),
      ),
    );
  }

  /**
   * The sums of one batch of samples. Gives the event loop a turn between micro-batches; stops
   * there when aborted.
   */
  async batch(
    samples: readonly Sample[],
    { signal, onMicroBatch }: BatchOptions = {},
  ): Promise<Accumulator> {
    const result = new Accumulator();
    const { sequences } = this.#options.microBatch;
    for (let from = 0; from < samples.length; from += sequences) {
      await new Promise(setImmediate);
      signal?.throwIfAborted();
      const part = samples.slice(from, from + sequences);
      scope(() => {
        this.#microBatch(part, result);
        return null;
      });
      if (from + sequences < samples.length) onMicroBatch?.(from + sequences);
    }
    result.endBatch(samples.length);
    return result;
  }

  dispose(): void {
    this.#zero.dispose();
  }

  #microBatch(samples: readonly Sample[], accumulator: Accumulator): void {
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
    });
    const into = new Collector({
      positions,
      setOf: (owner) => this.#sets.get(owner) ?? everyPosition,
      ...(wanted.metrics === undefined ? {} : { table: wanted.metrics }),
    });
    const context = model.context(lengths, T, { seqLen: samples[0]!.ids.length });
    try {
      const clean = new CleanPass({ model, ids, context, keep: this.#keep, saeDtype });
      const lanes = [
        ...strategies.flatMap((strategy) => enter(strategy, clean, into)),
        ...this.#zeroLanes.map((lane) => ({
          ...lane,
          state: zeroAt(positions.excluded(lane.positions), clean.residual(lane.start)),
        })),
      ];
      clean.releaseSites();
      if (lanes.length > 0)
        this.#compare({
          clean,
          lanes,
          ids,
          into,
          swept: runLanes({
            model,
            context,
            lanes,
            lanesPerCall: this.#options.microBatch.lanesPerCall,
          }),
        });
      into.flush(accumulator);
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
  }: {
    clean: CleanPass;
    lanes: readonly Lane[];
    ids: Tensor;
    into: Collector;
    swept: SweptLanes;
  }): void {
    const { model, microBatch, strategies, wanted } = this.#options;
    const rows = (h: Tensor): Tensor => h.reshape([-1, model.width]); // [N, d]
    // The last position has no next token: its label is never counted.
    const labels = ops.roll(ids, [-1], [1]).reshape([-1]); // [N]
    const distances = compareLogits({
      model,
      clean: rows(clean.finalHidden),
      lanes: rows(hidden),
      labels,
      lanesPerCall: microBatch.lanesPerCall,
      logits: microBatch.logits,
    });
    for (const protocol of wanted.protocols)
      for (const set of this.#setsUnder(protocol))
        into.tokens(cleanKey(protocol, 'ceClean', set.key), {
          mask: into.positions.mask(protocol, 'nextPositions', set),
          values: distances.ceClean,
        });
    order.forEach((lane, place) => {
      const { targets, zero } = lanes[lane]!;
      const { kl, ce } = distances.lanes[place]!;
      measureLogits({ logits: zero ? { ce } : { kl, ce }, targets }, into);
    });
    const zeroCrossEntropy = new Map<number, Tensor>();
    for (const { layer, targets } of wholeZeroSites(strategies)) {
      if (!zeroCrossEntropy.has(layer))
        zeroCrossEntropy.set(layer, this.#zero.crossEntropy(layer, labels));
      measureLogits({ logits: { ce: zeroCrossEntropy.get(layer)! }, targets }, into);
    }
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

/** The lanes that a strategy declares, each with the state in which it begins. */
function enter(strategy: Strategy, clean: CleanPass, into: Collector): Lane[] {
  const starts = strategy.enter(clean, into);
  if (starts.length !== strategy.lanes.length)
    throw new Error(`${starts.length} lanes began of ${strategy.lanes.length} declared`);
  return strategy.lanes.map((lane, index) => ({ ...lane, ...starts[index]! }));
}
