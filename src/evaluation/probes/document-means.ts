/**
 * Means over the tokens of each document, special tokens left out: of an SAE's latents, and of the
 * activations that it reads.
 */
import type { Sample } from '../../data/index.js';
import type { LanguageModel } from '../../lm/index.js';
import { SparseBuilder, type SparseRows } from '../../statistics/features.js';
import { ops, scope, type DType, type Tensor } from '../../torch/index.js';
import {
  eachSiteLatents,
  type PlacedDictionary,
  type SiteLatents,
} from '../engine/site-latents.js';
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
  /** Documents that go through the model together, or as many tokens if they are not padded. */
  sequences: number;
  /** Ids of special tokens. */
  specials: ReadonlySet<number>;
  signal?: AbortSignal | undefined;
}

/**
 * Values [N, w] of sequences with so many rows each → means of the rows that count, one sequence
 * after the other, on the host.
 */
function means(
  values: Tensor,
  { counted, extents }: Pick<SiteLatents, 'counted' | 'extents'>,
): Float64Array {
  return scope(() => {
    const zeroed = values.masked_fill(counted.logical_not().unsqueeze(-1), 0);
    const parts = (of: Tensor): Tensor[] => ops.split_with_sizes(of, extents);
    const sums = parts(zeroed).map((rows) => rows.sum([0], { dtype: 'float64' })); // [w]
    const counts = parts(counted).map((rows) => rows.sum({ dtype: 'float64' }));
    return ops.stack(sums).div(ops.stack(counts).unsqueeze(-1)).toTypedArray() as Float64Array;
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
  await eachSiteLatents(samples, { model, saes: placed, saeDtype, sequences, signal }, (all) => {
    const done = new Set<string>();
    all.forEach((one, at) => {
      const found = means(one.latents, one);
      if (!found.every(Number.isFinite)) finite[at] = false;
      builders[at]!.add(found);
      writers[at]!.add(scope(() => means(one.latents.mul(one.scale), one)));
      const place = places[at]!;
      if (done.has(place)) return;
      done.add(place);
      const builder = activations.get(place) ?? new SparseBuilder(one.activations.shape[1]!);
      activations.set(place, builder);
      builder.add(means(one.activations, one));
    });
  });
  const rows = new Map([...activations].map(([place, builder]) => [place, builder.rows()]));
  return placed.map((_, at) => ({
    latents: builders[at]!.rows(),
    written: writers[at]!.rows(),
    activations: rows.get(places[at]!)!,
    isFinite: finite[at]!,
  }));
}
