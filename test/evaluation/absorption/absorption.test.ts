/**
 * First-letter absorption: planted in latents, where the right rates are known, and measured on the
 * vocabulary of the shipped model.
 */
import { describe, expect, it } from 'vitest';
import {
  absorb,
  letterProbe,
  testedWords,
  type DecoderGeometry,
  type LetterProbe,
  type WordData,
} from '#src/evaluation/absorption/absorb.js';
import { absorptionOf, absorptionRun } from '#src/evaluation/absorption/absorption-run.js';
import { letterWords } from '#src/evaluation/absorption/words.js';
import { run } from '#src/evaluation/run/run.js';
import { everyPosition } from '#src/evaluation/positions.js';
import { loadLanguageModel, loadTokenizer } from '#src/lm/index.js';
import { loadSAE, type Dictionary } from '#src/sae/index.js';
import { renderReport } from '#src/report/index.js';
import type { EvaluationRequest } from '#src/schema/index.js';
import { SparseBuilder, type SparseRows } from '#src/statistics/features.js';
import { full } from '../../full.js';
import { shipped } from '../../golden/load.js';

const letters = ['a', 'b', 'c', 'd'];
const perLetter = 100;
const width = 8; // a dimension for each letter, and four of noise
const words = letters.flatMap((_, letter) =>
  Array.from({ length: perLetter }, (__, n) => ({ letter, n })),
);
const letterOf = words.map(({ letter }) => letter);

interface Plant {
  /** Whether a latent of the word itself has the letter. */
  isAbsorbed: (n: number) => boolean;
  /** Activation of the letter's own latent on such a word; the rest is the word's latent's. */
  left?: number;
}

/**
 * A dictionary with a latent for each letter, 4 times its direction, and one for each word. A
 * word's latent lies 1 along the letter and ½ aside.
 */
function planted({ isAbsorbed, left = 0 }: Plant) {
  const m = letters.length + words.length;
  let state = 7;
  const noise = (): number => ((state = (state * 48271) % 2147483647) / 2147483647) * 0.01;
  const rowsOf = (columns: number, row: (at: number) => Float64Array): SparseRows => {
    const builder = new SparseBuilder(columns);
    words.forEach((_, at) => builder.add(row(at)));
    return builder.rows();
  };
  const decoder = Array.from({ length: m }, (_, latent) => {
    const row = new Float64Array(width);
    if (latent < letters.length) row[latent] = 1;
    else {
      row[words[latent - letters.length]!.letter] = 1;
      row[4 + (latent % 4)] = 0.5;
    }
    return row;
  });
  const written = rowsOf(m, (at) => {
    const { letter, n } = words[at]!;
    const z = new Float64Array(m);
    z[letter] = isAbsorbed(n) ? left : 4;
    if (isAbsorbed(n)) z[letters.length + at] = 4 - left;
    return z;
  });
  const activations = rowsOf(width, (at) => {
    const { letter, n } = words[at]!;
    const h = Float64Array.from({ length: width }, noise);
    h[letter]! += 4;
    if (isAbsorbed(n)) h[4 + ((letters.length + at) % 4)]! += (4 - left) / 2;
    return h;
  });
  const geometry: DecoderGeometry = {
    along: (vectors) =>
      vectors.map((vector) =>
        Float64Array.from(decoder, (row) =>
          row.reduce((sum, value, i) => sum + value * vector[i]!, 0),
        ),
      ),
    norms: Float64Array.from(decoder, (row) => Math.hypot(...row)),
  };
  return { data: { written, activations, letterOf }, geometry };
}

const probesOf = (data: WordData): LetterProbe[] =>
  letters.map((_, letter) => letterProbe(data, letter));

function measured(plant: Plant) {
  const { data, geometry } = planted(plant);
  const found = absorb(data, probesOf(data), geometry);
  return absorptionOf('planted', found, { letters, seed: 1 });
}

describe('planted absorption', () => {
  // Words 0, 5, 10, … of a letter are tested: 20 of 100.
  const everyFourthTested = (n: number): boolean => n % 5 === 0 && (n / 5) % 4 === 0;

  it('is found at its rate', () => {
    const found = measured({ isAbsorbed: everyFourthTested });
    expect(found.letters.map(({ letter }) => letter)).toEqual(letters);
    for (const { words: count, latents, f1, full, fraction } of found.letters) {
      expect(count).toBe(20);
      expect(latents).toHaveLength(1);
      expect(f1).toBe(1);
      expect(full).toBe(0.25);
      expect(fraction).toBe(0.25);
    }
    expect(found.letters.map(({ latents }) => latents[0])).toEqual([0, 1, 2, 3]);
    expect(found.full!.mean).toBe(0.25);
    expect(found.fraction!.mean).toBe(0.25);
    expect(found.full!.ci95![0]).toBeGreaterThan(0.1);
    expect(found.full!.ci95![1]).toBeLessThan(0.4);
    expect(found.splits).toBe(0);
  });

  it('of one part is a fraction, and not full', () => {
    const found = measured({ isAbsorbed: everyFourthTested, left: 1 });
    expect(found.full!.mean).toBe(0);
    // The word's latent has 3 of 4 parts of the letter on a quarter of the words.
    expect(found.fraction!.mean).toBeCloseTo(0.75 * 0.25, 2);
  });

  it('is none where the letter has its latent on every word', () => {
    const found = measured({ isAbsorbed: () => false });
    expect(found.full!.mean).toBe(0);
    expect(found.fraction!.mean).toBe(0);
  });

  it('is not what a latent of the letter itself takes: that is a split', () => {
    const { data, geometry } = planted({ isAbsorbed: () => false });
    // Half of the words of each letter have a second latent instead of the first.
    const builder = new SparseBuilder(letters.length + words.length);
    words.forEach(({ letter, n }) => {
      const z = new Float64Array(letters.length + words.length);
      z[n % 2 === 0 ? letter : letters.length + letter * perLetter] = 4;
      builder.add(z);
    });
    const split = { ...data, written: builder.rows() };
    const found = absorb(split, probesOf(split), geometry);
    expect(found.map(({ latents }) => latents.length)).toEqual([2, 2, 2, 2]);
    expect(absorptionOf('split', found, { letters, seed: 1 })).toMatchObject({
      splits: 1,
      full: { mean: 0 },
      fraction: { mean: 0 },
    });
  });

  it('is tested on every fifth word of each letter', () => {
    expect(testedWords([0, 1, 0, 0, 0, 0, 0, 1])).toEqual([1, 1, 0, 0, 0, 0, 1, 0].map(Boolean));
  });
});

describe('the words of a vocabulary', () => {
  it('are tokens of letters, in a prompt that ends with them', async () => {
    const tokenizer = await loadTokenizer(shipped('tiny-llama'));
    const found = await letterWords(tokenizer, {
      vocabulary: tokenizer.vocabulary,
      maxPositions: 512,
      prependBos: undefined,
    });
    expect(found.letters).toContain('s');
    const lengths = new Set(found.samples.map(({ length }) => length));
    expect(lengths.size).toBe(1);
    found.samples.forEach(({ ids, length }, n) => {
      const word = tokenizer.decode([ids[length - 1]!]);
      expect(word).toMatch(/^ ?[A-Za-z]+$/);
      expect(word.trim()[0]!.toLowerCase()).toBe(found.letters[found.letterOf[n]!]);
    });
    const text = tokenizer.decode([...found.samples[0]!.ids]);
    expect(text.match(/ has the first letter: [A-Z]\n/g)).toHaveLength(10);
    await expect(
      letterWords(tokenizer, { vocabulary: 4096, maxPositions: 20, prependBos: undefined }),
    ).rejects.toMatchObject({ fields: [{ path: 'absorption' }] });
  });
});

const request: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), maxSamples: 2, seqLen: 16 },
  saes: [
    { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 1, k: 16 },
    { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k: 16 },
  ],
  protocol: ['strict'],
  metrics: ['NormMSE'],
  device: 'cpu',
};

describe('absorption of SAEs', () => {
  it('is measured on words of the vocabulary, and stands in the report', async () => {
    const model = await loadLanguageModel(shipped('tiny-llama'), { device: 'cpu' });
    const tokenizer = await loadTokenizer(shipped('tiny-llama'));
    const sae = (await loadSAE(shipped('TopK_tiny.pt'), { kind: 'TopK', k: 16 })) as Dictionary;
    const few = await letterWords(tokenizer, {
      vocabulary: model.vocabulary,
      maxPositions: model.maxPositions,
      prependBos: undefined,
      perLetter: 10,
    });
    const placed = { sae, site: 1, positions: everyPosition, override: null, label: 'TopK' };
    const absorption = await absorptionRun(few, {
      model,
      saes: [placed],
      saeDtype: 'float32',
      sequencesOf: () => 64,
      seed: 1,
    });
    sae.dispose();
    model.dispose();
    expect(absorption.words).toBe(few.samples.length);
    const [one] = absorption.saes;
    expect(one).toMatchObject({ sae: 'TopK', error: null });
    for (const { f1, latents } of one!.letters) {
      expect(f1).toBeGreaterThan(0.6);
      expect(latents.length).toBeGreaterThan(0);
    }
    const result = { ...(await run(request)), absorption };
    for (const [lang, title] of [
      ['en', 'Absorption of first letters'],
      ['zh', '首字母吸收'],
    ] as const)
      expect(await renderReport(result, { format: 'md', lang })).toContain(`## ${title}`);
  });

  it.runIf(full)('is part of a run that asks for it', async () => {
    const { absorption } = await run({ ...request, absorption: true });
    expect(absorption!.words).toBeGreaterThan(2000);
    expect(absorption!.saes.map(({ sae }) => sae)).toEqual(['TopK']);
  });
});
