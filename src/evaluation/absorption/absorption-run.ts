/** First-letter absorption of the SAEs of a run, from the words of the model's own vocabulary. */
import type { LanguageModel } from '../../lm/index.js';
import { Transcoder } from '../../sae/index.js';
import type { Absorption } from '../../schema/index.js';
import { SparseBuilder } from '../../statistics/features.js';
import type { DType } from '../../torch/index.js';
import { eachSiteLatents, type PlacedDictionary } from '../engine/site-latents.js';
import { everyPosition } from '../positions.js';
import { alongDecoder, decoderNorms } from '../probes/ablation.js';
import { turnOf } from '../probes/turn.js';
import { resampledInterval } from '../probes/uncertainty.js';
import {
  absorb,
  letterProbe,
  type AbsorbedLetter,
  type LetterProbe,
  type WordData,
} from './absorb.js';
import type { LetterWords } from './words.js';

export interface AbsorptionRunOptions {
  model: LanguageModel;
  saes: readonly (PlacedDictionary & { label: string })[];
  saeDtype: DType;
  /** Prompts that go through the model together, of a number of tokens. */
  sequencesOf: (seqLen: number) => number;
  seed: number;
  signal?: AbortSignal | undefined;
}

/** Latents and activations at the last token of each prompt, for each SAE. */
async function atWords(
  { samples, letterOf }: LetterWords,
  { model, saes, saeDtype, sequencesOf, signal }: AbsorptionRunOptions,
): Promise<(WordData & { isFinite: boolean })[]> {
  const sequences = sequencesOf(samples[0]!.ids.length);
  const written = saes.map(({ sae }) => new SparseBuilder(sae.m));
  const activations: SparseBuilder[] = [];
  const finite = saes.map(() => true);
  const placed = saes.map((sae) => ({ ...sae, positions: everyPosition }));
  const options = { model, saes: placed, saeDtype, sequences, signal, lastOnly: true };
  await eachSiteLatents(samples, options, (all) =>
    all.forEach(({ latents, scale, activations: own }, at) => {
      const last = (values: typeof own): Float64Array =>
        values.to({ dtype: 'float64' }).contiguous().toTypedArray() as Float64Array;
      const found = last(latents.mul(scale));
      const there = last(own);
      if (!found.every(Number.isFinite) || !there.every(Number.isFinite)) finite[at] = false;
      written[at]!.add(found);
      (activations[at] ??= new SparseBuilder(own.shape[1]!)).add(there);
    }),
  );
  return saes.map((_, at) => ({
    activations: activations[at]!.rows(),
    written: written[at]!.rows(),
    letterOf,
    isFinite: finite[at]!,
  }));
}

/** Mean over the letters of the mean over their words, by weights of words. */
function meanOfLetters(
  found: readonly AbsorbedLetter[],
  valueOf: (word: AbsorbedLetter['words'][number]) => number,
  weightOf: (place: number) => number = () => 1,
): number {
  let place = 0;
  const means = found.flatMap(({ words }) => {
    let sum = 0;
    let all = 0;
    for (const word of words) {
      const weight = weightOf(place++);
      sum += weight * valueOf(word);
      all += weight;
    }
    return all === 0 ? [] : [sum / all];
  });
  return means.length === 0 ? NaN : means.reduce((sum, value) => sum + value, 0) / means.length;
}

/** The result of one SAE. */
export function absorptionOf(
  sae: string,
  found: readonly AbsorbedLetter[],
  { letters, seed }: { letters: readonly string[]; seed: number },
): Absorption['saes'][number] {
  const count = found.reduce((sum, { words }) => sum + words.length, 0);
  const share = (valueOf: (word: AbsorbedLetter['words'][number]) => number) =>
    count === 0
      ? null
      : {
          mean: meanOfLetters(found, valueOf),
          ci95: resampledInterval(count, seed, (weightOf) =>
            meanOfLetters(found, valueOf, weightOf),
          ),
        };
  return {
    sae,
    fraction: share(({ fraction }) => fraction),
    full: share(({ full }) => Number(full)),
    splits:
      found.length === 0
        ? null
        : found.reduce((sum, { latents }) => sum + Math.max(0, latents.length - 1), 0) /
          found.length,
    letters: found.map((one) => ({
      letter: letters[one.letter]!,
      f1: one.f1,
      words: one.words.length,
      latents: one.latents,
      fraction: meanOfLetters([one], ({ fraction }) => fraction),
      full: meanOfLetters([one], ({ full }) => Number(full)),
    })),
    error: null,
  };
}

function failed(sae: string, code: string, message: string): Absorption['saes'][number] {
  return { sae, fraction: null, full: null, splits: null, letters: [], error: { code, message } };
}

/** Measures every SAE on the same words. */
export async function absorptionRun(
  words: LetterWords,
  options: AbsorptionRunOptions,
): Promise<Absorption> {
  const { seed, model } = options;
  const saes = options.saes.filter(({ sae }) => !(sae instanceof Transcoder));
  const data = saes.length === 0 ? [] : await atWords(words, { ...options, saes });
  const known = new Map<string, LetterProbe[]>();
  const turn = turnOf(options.signal);
  const probesOf = async (own: WordData, place: string): Promise<LetterProbe[]> => {
    const found = known.get(place) ?? [];
    known.set(place, found);
    while (found.length < words.letters.length) {
      await turn();
      found.push(letterProbe(own, found.length));
    }
    return found;
  };
  const results: Absorption['saes'] = [];
  for (const [at, { label, sae, site }] of saes.entries()) {
    const own = data[at]!;
    if (!own.isFinite) {
      results.push(failed(label, 'non-finite', 'Latents or activations are NaN or infinite.'));
      continue;
    }
    const probes = await probesOf(own, JSON.stringify(site));
    await turn();
    const found = absorb(own, probes, {
      along: (vectors) => alongDecoder(sae, vectors, model.device),
      norms: decoderNorms(sae, model.device),
    });
    results.push(absorptionOf(label, found, { letters: words.letters, seed }));
  }
  return { words: words.samples.length, saes: results };
}
