/**
 * Spurious correlation removal (Marks et al. 2024, SHIFT; Karvonen et al. 2025, SAEBench): a probe
 * that was fitted where two labels go together tells the one by the other; setting the latents of
 * the other to zero should help it.
 */
import type { Dictionary } from '../../sae/index.js';
import type { SpuriousRemoval } from '../../schema/index.js';
import { meanOf } from '../../statistics/features.js';
import { partOf, spread, type LabelTask } from '../../statistics/label-task.js';
import { fitLogistic, score } from '../../statistics/logistic-regression.js';
import { accuracyOf, type Judged } from '../../statistics/cross-validation.js';
import { alongDecoder, lostScores, ranksOf, sizesFor } from './ablation.js';
import type { DocumentMeans } from './document-means.js';
import type { Turn } from './turn.js';
import { resampledInterval } from './uncertainty.js';

export interface SpuriousOptions {
  /** Label and second label of each document, 0 or 1. */
  labels: readonly number[];
  spurious: readonly number[];
  names: readonly string[];
  spuriousNames: readonly string[];
  folds: number;
  seed: number;
}

/** Smallest room for improvement: below it a score is 0, as in SAEBench. */
const leastRoom = 0.001;

/** The four kinds of documents, label · 2 + second label, as many of each. */
function cellsOf({ labels, spurious }: SpuriousOptions): number[][] {
  const cells: number[][] = [[], [], [], []];
  labels.forEach((label, row) => cells[label * 2 + spurious[row]!]!.push(row));
  const count = Math.min(...cells.map(({ length }) => length));
  return cells.map((rows) => spread(rows, count));
}

/** Fewest documents of any kind; each fold needs one. */
export const smallestCell = (options: Pick<SpuriousOptions, 'labels' | 'spurious'>): number =>
  Math.min(...cellsOf(options as SpuriousOptions).map(({ length }) => length));

/** A task over some kinds of documents; those of the first value are positive. */
function taskOver(
  cells: readonly (readonly number[])[],
  chosen: readonly number[],
  isPositive: (cell: number) => boolean,
): LabelTask {
  return {
    label: 0,
    rows: chosen.flatMap((cell) => cells[cell]!),
    positive: chosen.flatMap((cell) => cells[cell]!.map(() => isPositive(cell))),
  };
}

interface Outcome {
  before: Judged;
  clean: Judged;
  after: Judged[];
}

export async function spuriousRemoval(
  { activations, written }: DocumentMeans,
  { sae, device, turn }: { sae: Dictionary; device: string; turn: Turn },
  options: SpuriousOptions,
): Promise<SpuriousRemoval> {
  const { labels, folds, seed, names, spuriousNames } = options;
  const cells = cellsOf(options);
  const foldOf = new Int32Array(labels.length);
  for (const rows of cells) rows.forEach((row, n) => (foldOf[row] = n % folds));
  const biased = taskOver(cells, [0, 3], (cell) => cell === 0);
  // The label, and the second label, on balanced documents.
  const tasks = [
    taskOver(cells, [0, 1, 2, 3], (cell) => cell < 2),
    taskOver(cells, [0, 1, 2, 3], (cell) => cell % 2 === 0),
  ];
  const sizes = sizesFor(sae.m);
  const judged = (): Judged => ({ right: [new Uint8Array(tasks[0]!.rows.length)] });
  const outcomes = tasks.map((): Outcome => ({
    before: judged(),
    clean: judged(),
    after: sizes.map(judged),
  }));
  for (let fold = 0; fold < folds; fold++) {
    await turn();
    const train = (task: LabelTask) => partOf(task, (row) => foldOf[row] !== fold);
    const biasedProbe = fitLogistic(activations, train(biased));
    const probes = tasks.map((task) => fitLogistic(activations, train(task)));
    const along = alongDecoder(
      sae,
      [...probes, biasedProbe].map(({ weights }) => weights),
      device,
    );
    const ranks = tasks.map((task, at) => {
      const { rows, positive } = train(task);
      const [own, others] = [true, false].map((wanted) =>
        meanOf(
          written,
          rows.filter((_, n) => positive[n] === wanted),
        ),
      ) as [Float64Array, Float64Array];
      return ranksOf(
        along[at]!.map((gain, latent) => Math.abs((own[latent]! - others[latent]!) * gain)),
      );
    });
    tasks.forEach(({ rows, positive }, at) =>
      rows.forEach((row, n) => {
        if (foldOf[row] !== fold) return;
        const { before, clean, after } = outcomes[at]!;
        const isRight = (value: number): number => Number(value > 0 === positive[n]);
        const own = score(activations, row, biasedProbe);
        before.right[0]![n] = isRight(own);
        clean.right[0]![n] = isRight(score(activations, row, probes[at]!));
        const lost = lostScores(written, row, {
          ranks: ranks[1 - at]!,
          along: along.slice(2),
          sizes,
        });
        sizes.forEach((_, size) => (after[size]!.right[0]![n] = isRight(own - lost[size]![0]!)));
      }),
    );
  }
  const accuracy = (one: Judged, at: number, weightOf?: (row: number) => number): number =>
    accuracyOf([tasks[at]!], one, weightOf);
  const before = outcomes.map((one, at) => accuracy(one.before, at));
  const at = before[0]! <= before[1]! ? 0 : 1;
  const { before: own, clean, after } = outcomes[at]!;
  const scoreOf = (one: Judged, weightOf?: (row: number) => number): number => {
    const start = accuracy(own, at, weightOf);
    const room = accuracy(clean, at, weightOf) - start;
    return room < leastRoom ? 0 : (accuracy(one, at, weightOf) - start) / room;
  };
  return {
    biased: `${names[0]!} & ${spuriousNames[0]!} / ` + `${names[1]!} & ${spuriousNames[1]!}`,
    direction: at === 0 ? 'label' : 'spurious',
    before: before[at]!,
    clean: accuracy(clean, at),
    top: sizes.map((latents, size) => ({
      latents,
      score: {
        mean: scoreOf(after[size]!),
        ci95: resampledInterval(labels.length, seed, (weightOf) => scoreOf(after[size]!, weightOf)),
      },
      after: accuracy(after[size]!, at),
    })),
  };
}
