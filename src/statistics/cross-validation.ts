/** Accuracy of probes on documents that they were not fitted on, with its uncertainty. */
import { columnsOf, largestPlaces, meanOf, type SparseRows } from './features.js';
import { partOf, type LabelTask } from './label-task.js';
import { fitLogistic, score, type LogisticModel } from './logistic-regression.js';

/** Whether the probes of each task were right on each document of it. */
export interface Judged {
  /** By task: 1 right, 0 wrong, for each of the task's rows. */
  right: readonly Uint8Array[];
}

export interface Selection {
  /** Number of features that a probe may use; null: all. */
  k: number | null;
}

/** The k features whose means differ most between the classes. */
export function selectByMeans(
  features: SparseRows,
  { rows, positive }: { rows: readonly number[]; positive: readonly boolean[] },
  k: number,
): number[] {
  const means = [true, false].map((wanted) =>
    meanOf(
      features,
      rows.filter((_, n) => positive[n] === wanted),
    ),
  );
  return largestPlaces(
    means[0]!.map((value, column) => Math.abs(value - means[1]![column]!)),
    k,
  );
}

/** A probe, the columns it looks at (null: all), and these columns of all documents. */
export interface FittedProbe {
  model: LogisticModel;
  columns: readonly number[] | null;
  features: SparseRows;
}

/** Fits one probe on a part of a task. */
export function fitProbe(
  features: SparseRows,
  part: { rows: readonly number[]; positive: readonly boolean[] },
  { k }: Selection,
): FittedProbe {
  if (k === null) return { model: fitLogistic(features, part), columns: null, features };
  const columns = selectByMeans(features, part, k);
  const own = columnsOf(features, columns);
  return { model: fitLogistic(own, part), columns, features: own };
}

/** Judges each document by the probe that was fitted without its fold. */
export function crossValidate(
  features: SparseRows,
  tasks: readonly LabelTask[],
  { folds, foldOf, k }: Selection & { folds: number; foldOf: Int32Array },
): Judged {
  const right = tasks.map((task) => {
    const judged = new Uint8Array(task.rows.length);
    for (let fold = 0; fold < folds; fold++) {
      const probe = fitProbe(
        features,
        partOf(task, (row) => foldOf[row] !== fold),
        { k },
      );
      task.rows.forEach((row, n) => {
        if (foldOf[row] !== fold) return;
        judged[n] = Number(score(probe.features, row, probe.model) > 0 === task.positive[n]);
      });
    }
    return judged;
  });
  return { right };
}

/** Mean over the tasks of the share of documents judged right, by weights of documents. */
export function accuracyOf(
  tasks: readonly LabelTask[],
  { right }: Judged,
  weightOf: (row: number) => number = () => 1,
): number {
  let sum = 0;
  let counted = 0;
  tasks.forEach(({ rows }, at) => {
    let all = 0;
    let good = 0;
    rows.forEach((row, n) => {
      const weight = weightOf(row);
      all += weight;
      good += weight * right[at]![n]!;
    });
    if (all === 0) return;
    sum += good / all;
    counted++;
  });
  return counted === 0 ? NaN : sum / counted;
}
