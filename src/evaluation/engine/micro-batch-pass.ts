/**
 * The passes of one micro-batch: its clean stream and its lanes go through the blocks, SAEs are
 * measured and lanes begin as the stream passes, and at the end logits are compared.
 */
import type { AttentionContext, LanguageModel } from '../../lm/index.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import { cleanKey, type Target } from '../../metrics/keys.js';
import type { Protocol } from '../../metrics/metric.js';
import { isPeerProtocol, peerRules } from '../../metrics/peers/protocols.js';
import { ops, scope, type DType, type Tensor } from '../../torch/index.js';
import type { PositionSet } from '../positions.js';
import type { Traveler } from './block-sweep.js';
import { CleanPass } from './clean-pass.js';
import type { Collector, FlushOptions } from './collector.js';
import { compareLogits } from './compare-logits.js';
import { LaneStack, type SweptLanes } from './lane-stack.js';
import type { LanePlan, LaneStart } from './lanes.js';
import { measureLogits } from './measure.js';
import type { MicroBatch } from './micro-batch.js';
import type { Positions } from './positions.js';
import type { Entry, Round } from './rounds.js';
import type { Strategy } from './strategies/strategy.js';
import type { VectorSums } from './vectors.js';
import { wholeZeroSites, zeroAt, type ZeroAblation, type ZeroLane } from './zero-ablation.js';

export interface MicroBatchPassOptions {
  model: LanguageModel;
  strategies: readonly Strategy[];
  zeroLanes: readonly ZeroLane[];
  zero: ZeroAblation;
  rounds: readonly Round[];
  microBatch: MicroBatch;
  saeDtype: DType;
  ids: Tensor; // [B, T]
  context: AttentionContext;
  /** Where sums go. It belongs to this object, as do the context and the ids. */
  into: Collector;
  /** The sets of positions that are counted, by protocol. */
  counted: readonly (readonly [Protocol, readonly PositionSet[]])[];
}

/** Whether a tool's KL is lost where a probability is zero. */
const seesUnderflow = ({ protocol }: Target): boolean =>
  isPeerProtocol(protocol) && peerRules[protocol].klUnderflows;

/** Layers at zero everywhere whose KL another tool reports. */
function layersWithKl(strategies: readonly Strategy[]): number[] {
  const sites = wholeZeroSites(strategies).filter(({ targets }) =>
    targets.some(({ protocol }) => isPeerProtocol(protocol)),
  );
  return [...new Set(sites.map(({ layer }) => layer))];
}

export class MicroBatchPass implements Traveler {
  readonly #options: MicroBatchPassOptions;
  #clean: CleanPass | null = null;
  #stack: LaneStack | null = null;
  #round = 0;

  constructor(options: MicroBatchPassOptions) {
    this.#options = options;
  }

  get rounds(): number {
    return this.#options.rounds.length;
  }

  get depth(): number {
    const { rounds, model } = this.#options;
    return rounds[0]?.depth ?? model.layers;
  }

  streams(round: number, i: number): number {
    const { lanes } = this.#options.rounds[round]!;
    const alive = lanes.filter(({ start, through = 0 }) => start - through < i).length;
    return this.positions.extents.length * (alive + (round === 0 ? 1 : 0));
  }

  get positions(): Positions {
    return this.#options.into.positions;
  }

  begin(round: number): void {
    const { model, ids, context, strategies, saeDtype, microBatch } = this.#options;
    this.#round = round;
    this.#clean ??= new CleanPass({
      model,
      ids,
      context,
      keep: new Set(strategies.flatMap(({ residuals }) => residuals)),
      sites: strategies.flatMap(({ sites }) => sites),
      saeDtype,
    });
    const { lanes } = this.#now;
    const { lanesPerCall } = microBatch;
    const [B] = ids.shape as [number];
    const clean = this.#clean;
    if (lanes.length > 0)
      this.#stack = new LaneStack({ model, context, lanes, B, lanesPerCall, clean });
    this.#at(0);
  }

  step(i: number): void {
    if (this.#round === 0) this.#clean!.through(i);
    this.#stack?.through(i);
    this.#at(i);
  }

  get #now(): Round {
    return this.#options.rounds[this.#round]!;
  }

  #at(layer: number): void {
    const { entries, releases } = this.#now;
    for (const entry of entries) if (entry.at === layer) this.#enter(entry);
    this.#stack?.at(layer);
    for (const over of releases.get(layer) ?? []) this.#clean!.release(over);
  }

  #enter({ source, part, lanes }: Entry): void {
    const { strategies, zeroLanes, into } = this.#options;
    const clean = this.#clean!;
    const strategy = strategies[source];
    let starts: LaneStart[];
    if (strategy === undefined) {
      const { positions, start } = zeroLanes[source - strategies.length]!;
      starts = [{ state: zeroAt(into.positions.excluded(positions), clean.residual(start)) }];
    } else starts = strategy.enter(clean, into, part);
    if (starts.length !== lanes.length)
      throw new Error(`${starts.length} lanes began of ${lanes.length} declared`);
    lanes.forEach((lane, n) => this.#stack!.begin(lane, starts[n]!));
  }

  end(): void {
    const { rounds } = this.#options;
    if (this.#round === rounds.length - 1) this.#clean!.releaseSites();
    const stack = this.#stack;
    if (stack === null) return;
    this.#stack = null;
    const isFirst = rounds.findIndex(({ lanes }) => lanes.length > 0) === this.#round;
    scope(() => {
      this.#compare(stack.finish(), { lanes: this.#now.lanes, isFirst });
      return null;
    });
  }

  /** @param options.isFirst whether what all lanes share is collected. */
  #compare(
    { hidden, order }: SweptLanes,
    { lanes, isFirst }: { lanes: readonly LanePlan[]; isFirst: boolean },
  ): void {
    const { model, ids, into, microBatch, counted, strategies, zero } = this.#options;
    const rows = (h: Tensor): Tensor => h.reshape([-1, model.width]); // [N, d]
    // The last position has no next token: its label is never counted.
    const labels = ops.roll(ids, [-1], [1]).reshape([-1]); // [N]
    const zeroLayers = isFirst ? layersWithKl(strategies) : [];
    const distances = compareLogits({
      model,
      constants: zeroLayers.map((layer) => zero.logProbabilities(layer)),
      clean: rows(this.#clean!.finalHidden),
      lanes: hidden.map(rows),
      labels,
      agreeing: new Set(order.flatMap((lane, at) => (lanes[lane]!.agreement ? [at] : []))),
      underflowing: new Set(
        order.flatMap((lane, at) => (lanes[lane]!.targets.some(seesUnderflow) ? [at] : [])),
      ),
      logits: microBatch.logits,
    });
    for (const [protocol, sets] of isFirst ? counted : [])
      for (const set of sets)
        into.tokens(cleanKey(protocol, 'ceClean', set.key), {
          mask: into.positions.mask(protocol, 'nextPositions', set),
          values: distances.ceClean,
        });
    order.forEach((lane, place) => {
      const { targets, zero: isZero } = lanes[lane]!;
      const found = distances.lanes[place]!;
      const { underflows: own, ...logits } = found;
      const clean = distances.cleanUnderflows;
      const underflows = own === undefined || clean === undefined ? undefined : { own, clean };
      measureLogits({ logits, underflows, zero: isZero, targets }, into);
    });
    if (!isFirst) return;
    const crossEntropies = new Map<number, Tensor>();
    for (const { layer, targets } of wholeZeroSites(strategies)) {
      if (!crossEntropies.has(layer)) crossEntropies.set(layer, zero.crossEntropy(layer, labels));
      const kl = distances.constants[zeroLayers.indexOf(layer)];
      const logits = { ce: crossEntropies.get(layer)!, ...(kl === undefined ? {} : { kl }) };
      const own = targets.some(seesUnderflow) ? zero.underflows(layer, labels) : undefined;
      const underflows = own === undefined ? undefined : { own };
      measureLogits({ logits, underflows, zero: true, targets }, into);
    }
  }

  /** Moves the sums on. Nothing is added anywhere if memory runs out on the way. */
  flush(accumulator: Accumulator, vectors: VectorSums, options: FlushOptions): void {
    this.#options.into.flush(accumulator, vectors, options);
  }

  dispose(): void {
    const { into, context } = this.#options;
    this.#stack?.dispose();
    into.dispose();
    into.positions.dispose();
    context.dispose();
  }
}
