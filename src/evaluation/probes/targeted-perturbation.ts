/**
 * Targeted probe perturbation (Karvonen et al. 2025, SAEBench): setting the latents of one label to
 * zero should spoil the probe of that label and leave those of the others as they are.
 */
import type { Dictionary } from '../../sae/index.js';
import type { TargetedPerturbation } from '../../schema/index.js';
import { accuracyOf, type Judged } from '../../statistics/cross-validation.js';
import { meanOf } from '../../statistics/features.js';
import { partOf, type LabelTask } from '../../statistics/label-task.js';
import { fitLogistic, score } from '../../statistics/logistic-regression.js';
import { alongDecoder, lostScores, ranksOf, sizesFor } from './ablation.js';
import type { DocumentMeans } from './document-means.js';
import type { Turn } from './turn.js';
import { resampledInterval, type UncertaintyOptions } from './uncertainty.js';

const blank = (tasks: readonly LabelTask[]): Judged => ({
  right: tasks.map(({ rows }) => new Uint8Array(rows.length)),
});

/** Rows of a part with, or without, the label. */
const rowsWhere = (
  { rows, positive }: { rows: readonly number[]; positive: readonly boolean[] },
  wanted: boolean,
): number[] => rows.filter((_, n) => positive[n] === wanted);

/** The positive part of each difference of means, times what the probe gains by it. */
function effectsOf(
  { written }: DocumentMeans,
  part: { rows: readonly number[]; positive: readonly boolean[] },
  along: Float64Array,
): Float64Array {
  const own = meanOf(written, rowsWhere(part, true));
  const others = meanOf(written, rowsWhere(part, false));
  return along.map((gain, latent) => Math.max(0, own[latent]! - others[latent]!) * gain);
}

/** Accuracy that the own probe lost, and the others on average, for each label set to zero. */
function losses(
  tasks: readonly LabelTask[],
  clean: Judged,
  ablated: readonly Judged[],
  weightOf?: (row: number) => number,
): { intended: number; unintended: number } {
  const accuracy = ({ right }: Judged, task: number): number =>
    accuracyOf([tasks[task]!], { right: [right[task]!] }, weightOf);
  const before = tasks.map((_, task) => accuracy(clean, task));
  let intended = 0;
  let unintended = 0;
  ablated.forEach((judged, label) =>
    tasks.forEach((_, task) => {
      const lost = before[task]! - accuracy(judged, task);
      if (task === label) intended += lost;
      else unintended += lost / (tasks.length - 1);
    }),
  );
  return { intended: intended / tasks.length, unintended: unintended / tasks.length };
}

export async function targetedPerturbation(
  means: DocumentMeans,
  { sae, device, turn }: { sae: Dictionary; device: string; turn: Turn },
  { tasks, folds, foldOf, seed }: UncertaintyOptions,
): Promise<TargetedPerturbation> {
  const { activations, written } = means;
  const sizes = sizesFor(sae.m);
  const clean = blank(tasks);
  const ablated = sizes.map(() => tasks.map(() => blank(tasks)));
  for (let fold = 0; fold < folds; fold++) {
    await turn();
    const parts = tasks.map((task) => partOf(task, (row) => foldOf[row] !== fold));
    const probes = parts.map((part) => fitLogistic(activations, part));
    const along = alongDecoder(
      sae,
      probes.map(({ weights }) => weights),
      device,
    );
    const ranks = parts.map((part, label) => ranksOf(effectsOf(means, part, along[label]!)));
    const lostIn = new Map<number, Float64Array[][]>();
    const lostOf = (row: number): Float64Array[][] => {
      const known = lostIn.get(row);
      if (known !== undefined) return known;
      const found = ranks.map((one) => lostScores(written, row, { ranks: one, along, sizes }));
      lostIn.set(row, found);
      return found;
    };
    tasks.forEach(({ rows, positive }, task) =>
      rows.forEach((row, n) => {
        if (foldOf[row] !== fold) return;
        const own = score(activations, row, probes[task]!);
        const isRight = (value: number): number => Number(value > 0 === positive[n]);
        clean.right[task]![n] = isRight(own);
        lostOf(row).forEach((lost, label) =>
          sizes.forEach((_, at) => {
            ablated[at]![label]!.right[task]![n] = isRight(own - lost[at]![task]!);
          }),
        );
      }),
    );
  }
  return {
    clean: accuracyOf(tasks, clean),
    top: sizes.map((latents, at) => {
      const { intended, unintended } = losses(tasks, clean, ablated[at]!);
      const ci95 = resampledInterval(foldOf.length, seed, (weightOf) => {
        const resampled = losses(tasks, clean, ablated[at]!, weightOf);
        return resampled.intended - resampled.unintended;
      });
      return { latents, score: { mean: intended - unintended, ci95 }, intended, unintended };
    }),
  };
}
