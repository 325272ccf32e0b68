/** Makes the passes of micro-batches: ids, positions and masks on the device, and where sums go. */
import type { LanguageModel } from '../../lm/index.js';
import type { Sample } from '../../data/index.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import { cleanKey, lengthKey } from '../../metrics/keys.js';
import type { Protocol } from '../../metrics/metric.js';
import type { DType } from '../../torch/index.js';
import { protocolNames } from '../../schema/index.js';
import { everyPosition, type PositionSet } from '../positions.js';
import { Collector } from './collector.js';
import { rowsOf } from './micro-batch-rows.js';
import { MicroBatchPass } from './micro-batch-pass.js';
import type { MicroBatch } from './micro-batch.js';
import { canUnpad } from './unpadded.js';
import { Positions, type MaskName } from './positions.js';
import type { Round } from './rounds.js';
import type { Strategy, Wanted } from './strategies/strategy.js';
import type { ZeroAblation, ZeroLane } from './zero-ablation.js';

export interface PassMakerOptions {
  model: LanguageModel;
  /** Ids of special tokens; default none. */
  specials?: ReadonlySet<number>;
  strategies: readonly Strategy[];
  wanted: Wanted;
  saeDtype: DType;
  zero: ZeroAblation;
  zeroLanes: readonly ZeroLane[];
}

export class PassMaker {
  readonly #options: PassMakerOptions;
  /** Whether micro-batches may be unpadded. */
  readonly canUnpad: boolean;
  readonly #sets: ReadonlyMap<string, PositionSet>;
  /** Sets of positions that other tools count. */
  readonly #peerSets: ReadonlyMap<string, PositionSet>;

  constructor(options: PassMakerOptions) {
    this.#options = options;
    const { model, strategies, wanted } = options;
    // `reference` counts padded positions.
    const countsPadding = wanted.protocols.has('reference');
    this.canUnpad = canUnpad(model, { readers: strategies, countsPadding });
    this.#peerSets = new Map(
      (options.wanted.peers ?? []).map(({ protocol, counted }) => [protocol, counted]),
    );
    this.#sets = new Map(
      options.strategies.flatMap(({ variants, lanes, positions }) =>
        [...variants, ...lanes.flatMap(({ targets }) => targets)].map(
          ({ owner }) => [owner, positions] as const,
        ),
      ),
    );
  }

  /** The passes of some sequences; the caller disposes of them. */
  passOf(
    samples: readonly Sample[],
    { rounds, microBatch }: { rounds: readonly Round[]; microBatch: MicroBatch },
  ): MicroBatchPass {
    const { model, strategies, wanted, saeDtype } = this.#options;
    const { ids, T, isUnpadded, context } = rowsOf(samples, {
      model,
      canUnpad: this.canUnpad,
      countsPadding: wanted.protocols.has('reference'),
    });
    let positions: Positions;
    try {
      positions = new Positions({
        samples,
        T,
        isUnpadded,
        device: model.device,
        ...(this.#options.specials === undefined ? {} : { specials: this.#options.specials }),
        ahead: this.#masks,
      });
    } catch (thrown) {
      context.dispose();
      throw thrown;
    }
    const into = new Collector({
      positions,
      setOf: ({ owner, protocol }) =>
        this.#peerSets.get(protocol) ?? this.#sets.get(owner) ?? everyPosition,
      ...(wanted.metrics === undefined ? {} : { table: wanted.metrics }),
      contexts: wanted.contexts,
    });
    return new MicroBatchPass({
      model,
      strategies,
      zeroLanes: this.#options.zeroLanes,
      zero: this.#options.zero,
      rounds,
      microBatch,
      saeDtype,
      ids,
      context,
      into,
      counted: this.#counted.map((protocol) => [protocol, this.#setsUnder(protocol)]),
    });
  }

  /** Protocols whose positions are counted: the summary of the data needs the real tokens. */
  get #protocols(): Protocol[] {
    const { protocols } = this.#options.wanted;
    return protocolNames.filter((name) => name === 'strict' || protocols.has(name));
  }

  /** Protocols whose clean cross-entropy is summed: other tools count real positions. */
  get #counted(): Protocol[] {
    const { protocols, peers = [] } = this.#options.wanted;
    return [...new Set([...protocols, ...(peers.length > 0 ? (['strict'] as const) : [])])];
  }

  /** The masks of a micro-batch. */
  get #masks(): MaskName[] {
    const spliced = (this.#options.wanted.peers ?? []).flatMap((peer) => [
      peer.spliced,
      peer.splicedAtHeads,
    ]);
    const sets = [everyPosition, ...this.#sets.values(), ...this.#peerSets.values(), ...spliced];
    return this.#protocols.flatMap((protocol) =>
      (['positions', 'nextPositions'] as const).flatMap((over) =>
        sets.map((set) => ({ protocol, over, set })),
      ),
    );
  }

  /** The sets of positions that are counted under a protocol, that of all positions first. */
  #setsUnder(protocol: Protocol): readonly PositionSet[] {
    if (protocol === 'reference') return [everyPosition];
    const all = [...this.#sets.values(), ...this.#peerSets.values()];
    const others = new Map(all.map((set) => [set.key, set]));
    others.delete(everyPosition.key);
    return [everyPosition, ...others.values()];
  }

  /** Appends the numbers of positions that count. */
  appendCounts(positions: Positions, accumulator: Accumulator): void {
    accumulator.append(lengthKey, positions.lengths);
    for (const protocol of this.#protocols)
      for (const over of ['positions', 'nextPositions'] as const)
        for (const set of this.#setsUnder(protocol))
          accumulator.append(
            cleanKey(protocol, over, set.key),
            positions.counts(protocol, over, set),
          );
    accumulator.append(cleanKey('strict', 'specials'), positions.specialCounts());
  }
}
