/**
 * Absorption of first letters (Chanin et al. 2024, arXiv:2409.14507; SAEBench): a latent for words
 * that begin with a letter stays silent on some of them, because latents of these words carry the
 * letter too (docs/reference/absorption.md).
 */
import { columnsOf, largestPlaces, meanOf, type SparseRows } from '../../statistics/features.js';
import { fitLogistic, score, type LogisticModel } from '../../statistics/logistic-regression.js';

/** Thresholds of SAEBench. */
export const absorptionThresholds = {
  /** Rise of F1 with which another latent counts as one of the letter. */
  f1Jump: 0.03,
  mostSplits: 10,
  /** F1 of the activations' probe below which a letter is left out. */
  leastF1: 0.6,
  /** Cosine of an absorbing latent with the probe, for the fraction and for full absorption. */
  fractionCosine: 0.1,
  fullCosine: 0.025,
  /** Part of the probe's projection that absorbing latents must have. */
  leastShare: 0.4,
  mostAbsorbing: 3,
} as const;

/** Steps of the regressions on activations, which take long to settle and tell no more then. */
const mostSteps = 100;

export interface WordData {
  /** Activations at the word: [words, w]. */
  activations: SparseRows;
  /** Latents there, times what the decoder's output is multiplied by: [words, m]. */
  written: SparseRows;
  letterOf: readonly number[];
}

/** The decoder as far as it is needed. */
export interface DecoderGeometry {
  /** ⟨p, d_f⟩ of each vector and latent. */
  along(vectors: readonly Float64Array[]): Float64Array[];
  /** ‖d_f‖: [m]. */
  norms: Float64Array;
}

/** A word whose letter the activations' probe tells. */
export interface AbsorbedWord {
  row: number;
  fraction: number;
  full: boolean;
}

export interface AbsorbedLetter {
  letter: number;
  f1: number;
  latents: number[];
  words: AbsorbedWord[];
}

/** Every fifth word of a letter is tested, the others are fitted. */
export function testedWords(letterOf: readonly number[]): boolean[] {
  const seen: number[] = [];
  return letterOf.map((letter) => {
    const n = seen[letter] ?? 0;
    seen[letter] = n + 1;
    return n % 5 === 0;
  });
}

/** F1 of a classifier over rows. */
function f1(
  rows: readonly number[],
  isTrue: (row: number) => boolean,
  says: (row: number) => boolean,
): number {
  let right = 0;
  let wrong = 0;
  for (const row of rows) {
    if (isTrue(row) && says(row)) right++;
    else if (isTrue(row) !== says(row)) wrong++;
  }
  return right === 0 ? 0 : (2 * right) / (2 * right + wrong);
}

/** Latents that tell the letter: more than one if each raises F1 by the threshold. */
function latentsOf(
  { written, letterOf }: WordData,
  { letter, train, test }: { letter: number; train: readonly number[]; test: readonly number[] },
): number[] {
  const isOwn = (row: number): boolean => letterOf[row] === letter;
  const own = meanOf(written, train.filter(isOwn));
  const others = meanOf(
    written,
    train.filter((row) => !isOwn(row)),
  );
  const { f1Jump, mostSplits } = absorptionThresholds;
  const ranked = largestPlaces(
    own.map((value, latent) => value - others[latent]!),
    mostSplits,
  );
  let best = -100;
  let chosen: number[] = [];
  for (let k = 1; k <= ranked.length; k++) {
    const columns = ranked.slice(0, k);
    const features = columnsOf(written, columns);
    const part = { rows: train, positive: train.map(isOwn) };
    const probe = fitLogistic(features, part, { balanced: true });
    const found = f1(test, isOwn, (row) => score(features, row, probe) > 0);
    if (found <= best + f1Jump) break;
    best = found;
    chosen = columns;
  }
  return chosen;
}

/** Contributions of a word's latents to the probe, and those that have the letter itself. */
function absorbedWord(
  row: number,
  {
    written,
    along,
    cosines,
    main,
    projection,
  }: {
    written: SparseRows;
    along: Float64Array;
    cosines: Float64Array;
    main: ReadonlySet<number>;
    projection: number;
  },
): AbsorbedWord {
  const limits = absorptionThresholds;
  let ofMain = 0;
  let mainFires = false;
  const absorbing: number[] = [];
  let top = { part: 0, cosine: -Infinity };
  for (let entry = written.starts[row]!; entry < written.starts[row + 1]!; entry++) {
    const latent = written.columnAt[entry]!;
    const part = written.valueAt[entry]! * along[latent]!;
    if (part > top.part) top = { part, cosine: cosines[latent]! };
    if (main.has(latent)) {
      ofMain += part;
      mainFires ||= written.valueAt[entry]! >= 1e-8;
    } else if (cosines[latent]! >= limits.fractionCosine && part > 0) absorbing.push(part);
  }
  const taken = absorbing
    .sort((a, b) => b - a)
    .slice(0, limits.mostAbsorbing)
    .reduce((sum, part) => sum + part, 0);
  const full =
    !mainFires &&
    projection > 0 &&
    top.cosine >= limits.fullCosine &&
    top.part / projection >= limits.leastShare;
  if (ofMain >= projection || taken / projection < limits.leastShare)
    return { row, fraction: 0, full };
  if (ofMain <= 0) return { row, fraction: 1, full };
  const part = Math.min(taken, projection - ofMain);
  return { row, fraction: Math.min(1, Math.max(0, part / (part + ofMain))), full };
}

/** A probe of each letter on the activations, with its F1 on the tested words. */
export interface LetterProbe {
  model: LogisticModel;
  f1: number;
}

/** The probe of a letter, the same for all SAEs of a place. */
export function letterProbe(
  { activations, letterOf }: Pick<WordData, 'activations' | 'letterOf'>,
  letter: number,
): LetterProbe {
  const tested = testedWords(letterOf);
  const rows = [...letterOf.keys()];
  const [train, test] = [rows.filter((row) => !tested[row]), rows.filter((row) => tested[row])];
  const isOwn = (row: number): boolean => letterOf[row] === letter;
  const part = { rows: train, positive: train.map(isOwn) };
  const model = fitLogistic(activations, part, { steps: mostSteps });
  return { model, f1: f1(test, isOwn, (row) => score(activations, row, model) > 0) };
}

/** Absorption of each letter that the activations' probe tells. */
export function absorb(
  words: WordData,
  probes: readonly LetterProbe[],
  { along, norms }: DecoderGeometry,
): AbsorbedLetter[] {
  const { activations, written, letterOf } = words;
  const tested = testedWords(letterOf);
  const rows = [...letterOf.keys()];
  const parts = {
    train: rows.filter((row) => !tested[row]),
    test: rows.filter((row) => tested[row]),
  };
  const told = [...probes.keys()].filter(
    (letter) => probes[letter]!.f1 > absorptionThresholds.leastF1,
  );
  const units = told.map((letter) => {
    const { weights } = probes[letter]!.model;
    const norm = Math.hypot(...weights);
    return weights.map((weight) => weight / norm);
  });
  const all = along(units);
  return told.flatMap((letter, at): AbsorbedLetter[] => {
    const { model, f1: own } = probes[letter]!;
    const latents = latentsOf(words, { letter, ...parts });
    const main = new Set(latents);
    const cosines = all[at]!.map((value, latent) => value / Math.max(norms[latent]!, 1e-30));
    const unit = { weights: units[at]!, intercept: 0 };
    const chosen = parts.test.filter(
      (row) => letterOf[row] === letter && score(activations, row, model) > 0,
    );
    if (chosen.length === 0) return [];
    return [
      {
        letter,
        f1: own,
        latents,
        words: chosen.map((row) =>
          absorbedWord(row, {
            written,
            along: all[at]!,
            cosines,
            main,
            projection: score(activations, row, unit),
          }),
        ),
      },
    ];
  });
}
