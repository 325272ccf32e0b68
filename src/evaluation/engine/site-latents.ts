/**
 * Latents of SAEs on one place each, on the clean pass of some samples, one micro-batch after the
 * other: for what is no sum over tokens of one SAE alone.
 */
import type { Sample } from '../../data/index.js';
import type { LanguageModel } from '../../lm/index.js';
import type { Dictionary, Override } from '../../sae/index.js';
import { denseValues } from '../../sae/latents.js';
import { ops, scope, type DType, type Tensor } from '../../torch/index.js';
import type { PositionSet } from '../positions.js';
import { CleanPass, type SiteInBlock } from './clean-pass.js';
import { rowsOf } from './micro-batch-rows.js';
import { Positions } from './positions.js';
import { microBatchEnds } from './slices.js';
import { canUnpad } from './unpadded.js';

/** A place of the clean pass: the residual stream after a block, or a site inside it. */
export type ReadSite = number | SiteInBlock;

/** An SAE, where it reads, and the positions that count for it. */
export interface PlacedDictionary {
  sae: Dictionary;
  site: ReadSite;
  positions: PositionSet;
  /** Change of its own sparsity that the request makes. */
  override: Override;
}

export interface SiteLatentsOptions {
  model: LanguageModel;
  saes: readonly PlacedDictionary[];
  saeDtype: DType;
  /** Sequences that go through the model together, or as many tokens if they are not padded. */
  sequences: number;
  /** Whether the last position of each is wanted alone, of sequences of one length. */
  lastOnly?: boolean;
  signal?: AbortSignal | undefined;
}

/** Latents of one SAE on the sequences of a micro-batch, which lie one after the other. */
export interface SiteLatents {
  /** Rows of each sequence; they sum to N. */
  extents: readonly number[];
  /** Activations as the model has them, [N, w]. */
  activations: Tensor;
  /** All latents, [N, m], in the SAE's dtype. */
  latents: Tensor;
  /** Factor of a change of the reconstruction in the activations: [N, 1]. */
  scale: Tensor;
  /** The rows whose positions count, [N] bool. */
  counted: Tensor;
}

const layerOf = (site: ReadSite): number => (typeof site === 'object' ? site.layer : site);
const residualOf = (site: ReadSite): number => (typeof site === 'object' ? site.layer - 1 : site);

/** The latents of all m, with those beyond a prefix as zeros. */
function latentsOf(
  { sae, override }: Pick<PlacedDictionary, 'sae' | 'override'>,
  x: Tensor,
  T: number,
): Tensor {
  const values = denseValues(sae.activate(sae.preactivate(x, T), override));
  const left = sae.m - values.shape.at(-1)!;
  return left === 0 ? values : ops.constant_pad_nd(values, [0, left]);
}

function pass(
  samples: readonly Sample[],
  { model, saes, saeDtype, lastOnly = false, mayUnpad }: SiteLatentsOptions & { mayUnpad: boolean },
  use: (all: readonly SiteLatents[]) => void,
): void {
  const { ids, B, T, isUnpadded, context } = rowsOf(samples, {
    model,
    canUnpad: mayUnpad,
    countsPadding: false,
  });
  const wanted = (rows: Tensor): Tensor =>
    lastOnly ? rows.reshape([B, T, rows.shape[1]!]).select(1, T - 1) : rows;
  const positions = new Positions({ samples, T, isUnpadded, device: model.device });
  try {
    const clean = new CleanPass({
      model,
      ids,
      context,
      keep: new Set(saes.map(({ site }) => residualOf(site))),
      sites: saes.flatMap(({ site }) => (typeof site === 'object' ? [site] : [])),
      saeDtype,
    });
    const depth = Math.max(...saes.map(({ site }) => layerOf(site)));
    for (let i = 1; i <= depth; i++) clean.through(i);
    const extents = lastOnly ? samples.map(() => 1) : positions.extents;
    use(
      saes.map((placed) => {
        const { sae, site, positions: set } = placed;
        const own = typeof site === 'object' ? clean.atSite(site) : clean.residual(site);
        const input = clean.input(site, sae.normalization);
        return {
          extents,
          activations: wanted(own.reshape([-1, own.shape.at(-1)!])),
          latents: sae.looksBack
            ? wanted(latentsOf(placed, input.x, T))
            : latentsOf(placed, wanted(input.x), lastOnly ? 1 : T),
          scale: scope(() => {
            const ones = ops.ones_like(input.x);
            return wanted(input.restoreDifference(ones).narrow(1, 0, 1)).contiguous();
          }),
          counted: wanted(positions.mask('strict', 'positions', set).reshape([-1, 1])).squeeze(1),
        };
      }),
    );
  } finally {
    positions.dispose();
    context.dispose();
  }
}

/**
 * Calls `use` with the latents of each micro-batch; its tensors are freed after the call.
 * @throws Error if the model's blocks are streamed, or if last positions are wanted of sequences of
 *   several lengths.
 */
export async function eachSiteLatents(
  samples: readonly Sample[],
  options: SiteLatentsOptions,
  use: (all: readonly SiteLatents[]) => void,
): Promise<void> {
  const { model, saes, sequences, signal, lastOnly = false } = options;
  if (lastOnly && samples.some(({ length }) => length !== samples[0]!.length))
    throw new Error('last positions are those of sequences of one length');
  const readers = saes.map(({ sae }) => sae);
  const mayUnpad = canUnpad(model, { readers, countsPadding: false });
  let from = 0;
  for (const end of microBatchEnds(samples, { sequences, isUnpadded: mayUnpad })) {
    signal?.throwIfAborted();
    scope(() => {
      pass(samples.slice(from, end), { ...options, mayUnpad }, use);
      return null;
    });
    from = end;
    await new Promise(setImmediate);
  }
}
