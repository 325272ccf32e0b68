/**
 * Logistic regression with a quadratic penalty, the problem of scikit-learn's LogisticRegression:
 *
 *   min over w, b of ½ ‖w‖² + C Σ_i log(1 + exp(−y_i (⟨w, x_i⟩ + b))),   y_i = ±1
 */
import type { SparseRows } from './features.js';
import { minimum, type MinimumOptions } from './lbfgs.js';

export interface LogisticModel {
  weights: Float64Array; // [columns]
  intercept: number;
}

export interface LogisticOptions extends MinimumOptions {
  /** Weight of the data against the penalty; default 1. */
  C?: number;
  /** Whether both classes weigh the same, whatever their sizes; default false. */
  balanced?: boolean;
}

/** log(1 + exp(x)), without overflow. */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** ⟨w, x_i⟩ + b: above 0 means the positive class. */
export function score(
  { starts, columnAt, valueAt }: SparseRows,
  row: number,
  { weights, intercept }: LogisticModel,
): number {
  let sum = intercept;
  for (let entry = starts[row]!; entry < starts[row + 1]!; entry++)
    sum += weights[columnAt[entry]!]! * valueAt[entry]!;
  return sum;
}

/** @param rows the documents that are fitted, and for each whether it is positive. */
export function fitLogistic(
  features: SparseRows,
  { rows, positive }: { rows: readonly number[]; positive: readonly boolean[] },
  { C = 1, balanced = false, ...options }: LogisticOptions = {},
): LogisticModel {
  const { columns, starts, columnAt, valueAt } = features;
  const own = positive.filter(Boolean).length;
  const weightOf = (isOwn: boolean): number =>
    balanced ? (C * rows.length) / (2 * Math.max(1, isOwn ? own : rows.length - own)) : C;
  const found = minimum(
    (point, gradient) => {
      const model = { weights: point, intercept: point[columns]! };
      let value = 0;
      for (let column = 0; column < columns; column++) {
        value += (point[column]! * point[column]!) / 2;
        gradient[column] = point[column]!;
      }
      gradient[columns] = 0;
      rows.forEach((row, n) => {
        const sign = positive[n] === true ? 1 : -1;
        const weight = weightOf(sign === 1);
        const margin = sign * score(features, row, model);
        value += weight * softplus(-margin);
        // −weight · y / (1 + exp(margin))
        const slope = (-weight * sign) / (1 + Math.exp(Math.min(margin, 700)));
        for (let entry = starts[row]!; entry < starts[row + 1]!; entry++)
          gradient[columnAt[entry]!]! += slope * valueAt[entry]!;
        gradient[columns]! += slope;
      });
      return value;
    },
    new Float64Array(columns + 1),
    // The gradient is a sum over rows; scikit-learn's tolerance is of their mean.
    { tolerance: 1e-5 * Math.max(1, C * rows.length), ...options },
  );
  return { weights: found.slice(0, columns), intercept: found[columns]! };
}
