/**
 * Counts of the latents table of one SAE: for each latent the positions on which it is active,
 * the sum of its activations, the samples, a histogram, and its top contexts. A latent is active if
 * it is not zero. Sums are exact and ties are broken by place, so that tallies of consecutive parts
 * of a run merge, in any grouping, to the same bits as one of all of them.
 */
import { activationBin, activationBins } from './activation-bins.js';
import { ExactSum } from './exact-sum.js';
import { TopContexts } from './top-contexts.js';

/** The size of a tally. */
export interface TallyShape {
  /** Number of latents. */
  readonly m: number;
  /** Contexts of each latent. */
  readonly n: number;
  /** Places of a position at which the same latents are read: the layers of an MLSAE. */
  readonly slots: number;
}

/** The latents of one place, token by token: those of row i lie from `starts[i]` on. */
export interface LatentEntries {
  /** The place, from 0. */
  readonly slot: number;
  /** Number of its first latent: 0, unless each layer has latents of its own. */
  readonly offset: number;
  readonly starts: Int32Array; // [N + 1]
  readonly latents: Int32Array;
  /** Activations; zeros are not counted. */
  readonly values: Float32Array | Float64Array;
}

/** The latents of some sequences. */
export interface TalliedSequences {
  /** Index in the run of the first sequence. */
  first: number;
  /** Rows of each sequence, which begin at its first position. */
  extents: readonly number[];
  /** Positions of a sequence of the run, no fewer. */
  seqLen: number;
  /** Rows that count, 1 each: [Σ extents]. */
  counted: Uint8Array;
  /** The latents at each place that was read. */
  entries: readonly LatentEntries[];
}

/** A column of the SAE's weights: [m]; NaN if a latent has no value. */
export type WeightColumns = Readonly<
  Record<
    'encoderNorm' | 'decoderNorm' | 'encoderDecoderCosine' | 'twinCosine' | 'twin',
    Float64Array
  >
>;

export const weightColumnNames = [
  'encoderNorm',
  'decoderNorm',
  'encoderDecoderCosine',
  'twinCosine',
  'twin',
] as const satisfies readonly (keyof WeightColumns)[];

/** A tally as named arrays. */
export type TallyState = ReadonlyMap<string, Float64Array>;

export class LatentTally {
  /** Positions on which each latent is active: [m]. */
  readonly active: Float64Array;
  /** Samples in which each latent is active: [m]. */
  readonly samples: Float64Array;
  /** Active positions by the magnitude of the activation: [m, bins]. */
  readonly histogram: Float64Array;
  readonly top: TopContexts;
  #sum: ExactSum;
  /** Positions that count, for each place that was read. */
  positions = 0;
  /** Samples that were looked at. */
  sequences = 0;
  /** Columns of the SAE's weights, if they were computed. */
  weights: WeightColumns | null = null;

  constructor(readonly shape: TallyShape) {
    const { m, n } = shape;
    this.active = new Float64Array(m);
    this.samples = new Float64Array(m);
    this.histogram = new Float64Array(m * activationBins);
    // The largest activation is a column even if no context is asked for.
    this.top = new TopContexts(m, Math.max(n, 1));
    this.#sum = new ExactSum(m);
  }

  /** Sum of the activations of each latent: [m]. */
  sums(): Float64Array {
    return this.#sum.values();
  }

  /** Place of a position, as the contexts have it. */
  static placeOf(
    { sample, position, slot }: { sample: number; position: number; slot: number },
    { seqLen, slots }: { seqLen: number; slots: number },
  ): number {
    return (sample * seqLen + position) * slots + slot;
  }

  /** The sample, position and slot of a place. */
  static atPlace(
    place: number,
    { seqLen, slots }: { seqLen: number; slots: number },
  ): { sample: number; position: number; slot: number } {
    const token = Math.floor(place / slots);
    const sample = Math.floor(token / seqLen);
    return { sample, position: token - sample * seqLen, slot: place - token * slots };
  }

  /** Adds the latents of sequences that follow, or precede, those that are there. */
  add({ first, extents, seqLen, counted, entries }: TalliedSequences): void {
    const { m, slots } = this.shape;
    const { active, samples, histogram, top } = this;
    const seenIn = new Int32Array(m).fill(-1);
    const ownLatents = slots === 1 && entries.length > 1;
    let begin = 0;
    for (const [b, extent] of extents.entries()) {
      for (let t = 0; t < extent; t++) {
        const row = begin + t;
        if (counted[row] === 0) continue;
        this.positions += ownLatents ? 1 : entries.length;
        for (const { slot, offset, starts, latents, values } of entries) {
          const place = LatentTally.placeOf(
            { sample: first + b, position: t, slot },
            { seqLen, slots },
          );
          for (let at = starts[row]!; at < starts[row + 1]!; at++) {
            const value = values[at]!;
            if (value === 0) continue;
            const latent = latents[at]! + offset;
            active[latent]! += 1;
            this.#sum.addAt(latent, value);
            if (seenIn[latent] !== b) {
              seenIn[latent] = b;
              samples[latent]! += 1;
            }
            histogram[latent * activationBins + activationBin(value)]! += 1;
            top.add(latent, value, place);
          }
        }
      }
      begin += extent;
    }
    this.sequences += extents.length;
  }

  /** Adds all that was added to `other`, of another part of the run. */
  merge(other: LatentTally): void {
    const { m } = this.shape;
    for (let latent = 0; latent < m; latent++) {
      if (other.active[latent] === 0) continue;
      this.active[latent]! += other.active[latent]!;
      this.samples[latent]! += other.samples[latent]!;
      const from = latent * activationBins;
      for (let bin = from; bin < from + activationBins; bin++)
        this.histogram[bin]! += other.histogram[bin]!;
      this.top.merge(other.top, latent);
    }
    this.#sum.merge(other.#sum);
    this.positions += other.positions;
    this.sequences += other.sequences;
    this.weights ??= other.weights;
  }

  /** The state to be stored. Views, which hold until something is added. */
  state(): TallyState {
    const { m, n, slots } = this.shape;
    const state = new Map<string, Float64Array>([
      ['shape', Float64Array.of(m, n, slots, this.positions, this.sequences)],
      ['active', this.active],
      ['samples', this.samples],
      ['histogram', this.histogram],
      ['top.values', this.top.values],
      ['top.places', this.top.places],
    ]);
    for (const [plane, part] of this.#sum.parts().entries()) state.set(`sum.${plane}`, part);
    if (this.weights !== null)
      for (const name of weightColumnNames) state.set(`weights.${name}`, this.weights[name]);
    return state;
  }

  /** The tally of a state. */
  static restore(state: TallyState): LatentTally {
    const array = (name: string): Float64Array => {
      const found = state.get(name);
      if (found === undefined) throw new RangeError(`a tally without ${name}`);
      return found;
    };
    const [m, n, slots, positions, sequences] = array('shape') as unknown as [
      ...[number, number, number, number, number],
    ];
    const tally = new LatentTally({ m, n, slots });
    tally.active.set(array('active'));
    tally.samples.set(array('samples'));
    tally.histogram.set(array('histogram'));
    tally.top.values.set(array('top.values'));
    tally.top.places.set(array('top.places'));
    for (let plane = 0; state.has(`sum.${plane}`); plane++) tally.#sum.add(array(`sum.${plane}`));
    tally.positions = positions;
    tally.sequences = sequences;
    if (state.has('weights.twin'))
      tally.weights = Object.fromEntries(
        weightColumnNames.map((name) => [name, array(`weights.${name}`)]),
      ) as WeightColumns;
    return tally;
  }
}
