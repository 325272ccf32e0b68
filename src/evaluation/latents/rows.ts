/** Rows of the latents table of an SAE, from its tally. */
import { activationBins } from '../../metrics/activation-bins.js';
import { LatentTally } from '../../metrics/latent-tally.js';
import type { Latent, LatentContext } from '../../schema/index.js';
import type { SaeFacts } from '../result/facts.js';
import type { ContextTexts } from './context-texts.js';

export interface RowsOptions {
  facts: SaeFacts;
  tally: LatentTally;
  /** Positions of a sample. */
  seqLen: number;
  /** Null: contexts have places and values alone. */
  texts: ContextTexts | null;
}

const known = (value: number): number | null => (Number.isNaN(value) ? null : value);

const noText = { tokenId: null, token: null, before: null, after: null };

/** Makes rows of an SAE's latents, by their numbers. */
export function rowMaker({ facts, tally, seqLen, texts }: RowsOptions): (latent: number) => Latent {
  const { m, n, slots } = tally.shape;
  const { active, samples, histogram, top, weights, positions, sequences } = tally;
  const sums = tally.sums();
  const layers = facts.measured?.slots.strict.map(({ layer }) => layer) ?? [];
  const layerOf = (latent: number): number | null =>
    facts.form === 'cross-layer' ? layers[Math.floor((latent * layers.length) / m)]! : null;
  const contextAt = (at: number): LatentContext => {
    const { slot, ...place } = LatentTally.atPlace(top.places[at]!, { seqLen, slots });
    return {
      ...place,
      layer: slots === 1 ? null : (layers[slot] ?? null),
      value: top.values[at]!,
      ...(texts?.at(place) ?? noText),
    };
  };
  return (latent) => {
    const first = latent * top.n;
    const isDead = active[latent] === 0;
    const contexts: LatentContext[] = [];
    for (let at = first; at < first + n && top.places[at]! >= 0; at++) contexts.push(contextAt(at));
    return {
      sae: facts.identity.label,
      latent,
      layer: layerOf(latent),
      active: active[latent]!,
      density: positions === 0 ? null : active[latent]! / positions,
      samples: samples[latent]!,
      sampleShare: sequences === 0 ? null : samples[latent]! / sequences,
      mean: isDead ? null : known(sums[latent]! / active[latent]!),
      max: top.places[first]! < 0 ? null : top.values[first]!,
      encoderNorm: known(weights?.encoderNorm[latent] ?? NaN),
      decoderNorm: known(weights?.decoderNorm[latent] ?? NaN),
      encoderDecoderCosine: known(weights?.encoderDecoderCosine[latent] ?? NaN),
      twin: known(weights?.twin[latent] ?? NaN),
      twinCosine: known(weights?.twinCosine[latent] ?? NaN),
      histogram: Array.from(
        histogram.subarray(latent * activationBins, (latent + 1) * activationBins),
      ),
      contexts,
    };
  };
}
