/**
 * Probes against scikit-learn on the same folds (test/golden/probes/make.py): within half a point,
 * as no score lies near 0. And minima that are known.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { crossValidate, selectByMeans } from '#src/statistics/cross-validation.js';
import { columnsOf, meanOf, SparseBuilder, type SparseRows } from '#src/statistics/features.js';
import { foldsOf, rowsByLabel, spread, taskOf } from '#src/statistics/label-task.js';
import { minimum } from '#src/statistics/lbfgs.js';
import { fitLogistic, score } from '#src/statistics/logistic-regression.js';
import { golden } from '../golden/load.js';

const { synthetic } = JSON.parse(readFileSync(golden('probes/expected.json'), 'utf8')) as {
  synthetic: {
    labels: string[];
    features: number[];
    columns: number;
    accuracy: Record<string, Record<string, number>>;
  };
};

const rowsOf = (values: readonly number[], columns: number): SparseRows => {
  const builder = new SparseBuilder(columns);
  builder.add(Float64Array.from(values));
  return builder.rows();
};
const features = rowsOf(synthetic.features, synthetic.columns);
const names = [...new Set(synthetic.labels)].sort();
const labels = synthetic.labels.map((label) => names.indexOf(label));

describe('probes on random features', () => {
  it.each([1, 2, 5, null])('of %j features are as accurate as those of scikit-learn', (k) => {
    const folds = 5;
    const foldOf = foldsOf(labels, names.length, folds);
    const rows = rowsByLabel(labels, names.length);
    const tasks = names.map((_, label) => taskOf(rows, label));
    const { right } = crossValidate(features, tasks, { folds, foldOf, k });
    const expected = synthetic.accuracy[k === null ? 'None' : String(k)]!;
    names.forEach((name, at) => {
      const own = right[at]!.reduce((sum, one) => sum + one, 0) / right[at]!.length;
      expect(Math.abs(own - expected[name]!), name).toBeLessThan(0.005);
    });
  });

  it('select the features that tell a label', () => {
    const rows = rowsByLabel(labels, names.length);
    expect(selectByMeans(features, taskOf(rows, names.indexOf('red')), 1)).toEqual([3]);
    const green = selectByMeans(features, taskOf(rows, names.indexOf('green')), 2);
    expect(green.toSorted((a, b) => a - b)).toEqual([3, 7]);
  });
});

describe('a minimum', () => {
  it('of a narrow valley is found', () => {
    // Rosenbrock's function is not convex, but smooth and hard.
    const found = minimum(
      (point, gradient) => {
        const [x, y] = point as unknown as [number, number];
        gradient[0] = -2 * (1 - x) - 400 * x * (y - x * x);
        gradient[1] = 200 * (y - x * x);
        return (1 - x) ** 2 + 100 * (y - x * x) ** 2;
      },
      Float64Array.of(-1.2, 1),
      { tolerance: 1e-9 },
    );
    expect(found[0]).toBeCloseTo(1, 6);
    expect(found[1]).toBeCloseTo(1, 6);
  });

  it('of a logistic regression has no gradient, also where the data can be divided', () => {
    const x = rowsOf([1, 0, 2, 0, 0, 1, 0, 3], 2);
    const part = { rows: [0, 1, 2, 3], positive: [true, true, false, false] };
    const { weights, intercept } = fitLogistic(x, part, { tolerance: 1e-10 });
    const slopes = [0, 0, 0];
    part.rows.forEach((row, n) => {
      const sign = part.positive[n] ? 1 : -1;
      const factor = -sign / (1 + Math.exp(sign * score(x, row, { weights, intercept })));
      const [a, b] = [
        [1, 0],
        [2, 0],
        [0, 1],
        [0, 3],
      ][row]!;
      slopes[0]! += factor * a!;
      slopes[1]! += factor * b!;
      slopes[2]! += factor;
    });
    expect(slopes[0]! + weights[0]!).toBeCloseTo(0, 6);
    expect(slopes[1]! + weights[1]!).toBeCloseTo(0, 6);
    expect(slopes[2]!).toBeCloseTo(0, 6);
  });
});

describe('tasks of labels', () => {
  it('have as many documents of the label as of the others, spread evenly', () => {
    expect(spread([0, 1, 2, 3, 4, 5], 3)).toEqual([0, 2, 4]);
    const rows = rowsByLabel([0, 1, 2, 0, 1, 2, 0, 0], 3);
    expect(taskOf(rows, 0)).toEqual({
      label: 0,
      rows: [0, 3, 6, 7, 1, 4, 2, 5],
      positive: [true, true, true, true, false, false, false, false],
    });
    // The others have fewer.
    const few = taskOf(rowsByLabel([0, 0, 0, 0, 1], 2), 0);
    expect(few.rows).toEqual([0, 4]);
  });

  it('have folds with every label in turn', () => {
    expect([...foldsOf([0, 0, 1, 0, 1, 1], 2, 2)]).toEqual([0, 1, 0, 0, 1, 0]);
  });
});

describe('sparse rows', () => {
  it('give means and columns', () => {
    const rows = rowsOf([1, 0, 3, 0, 5, 0], 3);
    expect([...meanOf(rows, [0, 1])]).toEqual([0.5, 2.5, 1.5]);
    const some = columnsOf(rows, [2, 1]);
    expect([...some.starts]).toEqual([0, 1, 2]);
    expect([...some.columnAt]).toEqual([0, 1]);
    expect([...some.valueAt]).toEqual([3, 5]);
  });
});
