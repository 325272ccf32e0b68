/**
 * Computes batches: one clean pass, all SAEs measured on it, all splices as lanes through the
 * remaining blocks, one comparison of logits. The only place where language model, SAEs and metrics
 * meet.
 */
import type { LanguageModel } from '../../lm/index.js';
import type { Sample } from '../../data/index.js';
import { Accumulator } from '../../metrics/accumulator.js';
import { fromTypedArray, ops, scope, type DType, type Tensor } from '../../torch/index.js';
import { protocolNames } from '../../schema/index.js';
import type { Strategy, Wanted } from './strategies/strategy.js';
import { CleanPass } from './clean-pass.js';
import { cleanKey, lengthKey } from '../../metrics/keys.js';
import { Collector } from './collector.js';
import { compareLogits } from './compare-logits.js';
import { runLanes, type Lane, type SweptLanes } from './lanes.js';
import { measureLogits } from './measure.js';
import type { MicroBatch } from './micro-batch.js';
import { ZeroAblation } from './zero-ablation.js';

export interface EngineOptions {
  model: LanguageModel;
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

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#keep = new Set(options.strategies.flatMap(({ residuals }) => residuals));
    const zeroLayers = new Set(
      options.strategies.flatMap(({ zeroSites }) => zeroSites.map(({ layer }) => layer)),
    );
    this.#zero = new ZeroAblation(
      options.model,
      [...zeroLayers].sort((a, b) => a - b),
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
    const into = new Collector({
      lengths,
      T,
      device,
      ...(wanted.metrics === undefined ? {} : { table: wanted.metrics }),
    });
    const context = model.context(lengths, T, { seqLen: samples[0]!.ids.length });
    try {
      const clean = new CleanPass({ model, ids, context, keep: this.#keep, saeDtype });
      const lanes = strategies.flatMap((strategy) => enter(strategy, clean, into));
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
      this.#appendCounts(lengths, into, accumulator);
    } finally {
      into.dispose();
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
      into.tokens(cleanKey(protocol, 'ceClean'), {
        protocol,
        over: 'nextPositions',
        values: distances.ceClean,
      });
    order.forEach((lane, place) => {
      const { targets, zero } = lanes[lane]!;
      const { kl, ce } = distances.lanes[place]!;
      measureLogits({ logits: zero ? { ce } : { kl, ce }, targets }, into);
    });
    const zeroCrossEntropy = new Map<number, Tensor>();
    for (const { layer, targets } of strategies.flatMap(({ zeroSites }) => zeroSites)) {
      if (!zeroCrossEntropy.has(layer))
        zeroCrossEntropy.set(layer, this.#zero.crossEntropy(layer, labels));
      measureLogits({ logits: { ce: zeroCrossEntropy.get(layer)! }, targets }, into);
    }
  }

  #appendCounts(lengths: readonly number[], into: Collector, accumulator: Accumulator): void {
    accumulator.append(lengthKey, Float64Array.from(lengths));
    // Both protocols' counts whatever was asked for: the summary of the data needs the real tokens.
    for (const protocol of protocolNames) {
      for (const over of ['positions', 'nextPositions'] as const) {
        accumulator.append(
          cleanKey(protocol, over),
          Float64Array.from(lengths, (length) => into.counts(protocol, over, length)),
        );
      }
    }
  }
}

/** The lanes that a strategy declares, each with the state in which it begins. */
function enter(strategy: Strategy, clean: CleanPass, into: Collector): Lane[] {
  const starts = strategy.enter(clean, into);
  if (starts.length !== strategy.lanes.length)
    throw new Error(`${starts.length} lanes began of ${strategy.lanes.length} declared`);
  return strategy.lanes.map((lane, index) => ({ ...lane, ...starts[index]! }));
}
