/**
 * Means over the tokens of each document, special tokens left out: of an SAE's latents, and of the
 * activations that it reads.
 */
import type { Sample } from '../../data/index.js';
import type { LanguageModel } from '../../lm/index.js';
import { SparseBuilder, type SparseRows } from '../../statistics/features.js';
import { scope, type DType, type Tensor } from '../../torch/index.js';
import { eachSiteLatents, type PlacedDictionary } from '../engine/site-latents.js';
import { positionSet } from '../positions.js';

export interface DocumentMeans {
  latents: SparseRows; // [documents, m]
  /** Means of latents times the factor of the decoder's output: [documents, m]. */
  written: SparseRows;
  /** Shared by the SAEs of one place. */
  activations: SparseRows; // [documents, w]
  /** Whether a mean is NaN or infinite. */
  isFinite: boolean;
}

export interface DocumentMeansOptions {
  model: LanguageModel;
  saes: readonly PlacedDictionary[];
  saeDtype: DType;
  /** Documents that go through the model together. */
  sequences: number;
  /** Ids of special tokens. */
  specials: ReadonlySet<number>;
  signal?: AbortSignal | undefined;
}

/** Values [B · T, w] and [B, T] bool → means of the positions that count, [B · w] on the host. */
function means(values: Tensor, counted: Tensor, T: number): Float64Array {
  return scope(() => {
    const [B] = counted.shape as [number];
    const mask = counted.unsqueeze(-1);
    const zeroed = values.reshape([B, T, values.shape[1]!]).masked_fill(mask.logical_not(), 0);
    const sums = zeroed.sum([1], { dtype: 'float64' }); // [B, w]
    const counts = counted.sum([1], { dtype: 'float64' }).unsqueeze(-1);
    return sums.div(counts).toTypedArray() as Float64Array;
  });
}

/** The means of every document, for each SAE. */
export async function documentMeans(
  samples: readonly Sample[],
  { model, saes, saeDtype, sequences, specials, signal }: DocumentMeansOptions,
): Promise<DocumentMeans[]> {
  const positions = positionSet({ specials: true, ids: [], kept: null }, specials);
  const placed = saes.map((sae) => ({ ...sae, positions }));
  const places = placed.map(({ site }) => JSON.stringify(site));
  const builders = placed.map(({ sae }) => new SparseBuilder(sae.m));
  const writers = placed.map(({ sae }) => new SparseBuilder(sae.m));
  const activations = new Map<string, SparseBuilder>();
  const finite = placed.map(() => true);
  for (let from = 0; from < samples.length; from += sequences) {
    signal?.throwIfAborted();
    const some = samples.slice(from, from + sequences);
    eachSiteLatents(some, { model, saes: placed, saeDtype, sequences }, (all) => {
      const done = new Set<string>();
      all.forEach(({ latents, scale, activations: own, counted, T }, at) => {
        const found = means(latents, counted, T);
        if (!found.every(Number.isFinite)) finite[at] = false;
        builders[at]!.add(found);
        writers[at]!.add(scope(() => means(latents.mul(scale), counted, T)));
        const place = places[at]!;
        if (done.has(place)) return;
        done.add(place);
        const builder = activations.get(place) ?? new SparseBuilder(own.shape[1]!);
        activations.set(place, builder);
        builder.add(means(own, counted, T));
      });
    });
    await new Promise(setImmediate);
  }
  const rows = new Map([...activations].map(([place, builder]) => [place, builder.rows()]));
  return placed.map((_, at) => ({
    latents: builders[at]!.rows(),
    written: writers[at]!.rows(),
    activations: rows.get(places[at]!)!,
    isFinite: finite[at]!,
  }));
}
