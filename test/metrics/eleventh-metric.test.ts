/**
 * A metric is one file and one line in the table: this one is followed from tensors to the result,
 * its schema, the report and the documentation.
 */
import { describe, expect, it } from 'vitest';
import { Positions } from '#src/evaluation/engine/positions.js';
import { Collector } from '#src/evaluation/engine/collector.js';
import { measure } from '#src/evaluation/engine/measure.js';
import { Assembly, type Subject } from '#src/evaluation/result/assemble.js';
import { notesOn } from '#src/evaluation/result/notes.js';
import { Accumulator } from '#src/metrics/accumulator.js';
import { cleanKey } from '#src/metrics/keys.js';
import { meanOverPositions, type Metric, type ReconstructionColumn } from '#src/metrics/metric.js';
import { metrics, type Table } from '#src/metrics/table.js';
import { en } from '#src/report/language/en.js';
import { zh } from '#src/report/language/zh.js';
import { entriesOf, mainTable } from '#src/report/sections/results.js';
import type { StrictValues } from '#src/schema/result.js';
import { valuesSchema } from '#src/schema/values.js';
import { fromTypedArray, memory, scope } from '#src/torch/index.js';
import { evaluationResult, saeResult } from '../report/fixture.js';
import { metricsDocument } from './metrics-document.js';

// src/metrics/max-error.ts

/** Σ over tokens of the largest squared error of a dimension. */
const largestError: ReconstructionColumn = {
  name: 'largestError',
  from: 'reconstruction',
  protocols: ['strict'],
  values: ({ x, reconstruction }) => reconstruction.sub(x).square().amax([-1]), // [N]
};

export const maxError = {
  name: 'MaxError',
  columns: [largestError],
  fields: [
    {
      field: 'MaxError',
      protocol: 'strict',
      name: { en: 'Largest error', zh: '最大误差' },
      meaning: {
        en: 'largest squared error of a dimension, averaged over tokens',
        zh: '各维中最大的误差平方，对词元取平均',
      },
      formula: 'mean over positions of `max_d((x̂ − x)²)`',
      unit: null,
      better: 'lower',
      shape: 'estimate',
      interval: true,
      compared: true,
      value: (sums) => meanOverPositions(sums, largestError),
    },
  ],
} as const satisfies Metric;

// The line in src/metrics/table.ts.
const table: Table = [...metrics, maxError];

const sequences = 24;
const [T, d] = [3, 4];
const lengths = Array.from({ length: sequences }, (_, i) => 1 + (i % T));
const number = (i: number, factor: number): number => Math.sin(i * factor);
const inputs = Float32Array.from({ length: sequences * T * d }, (_, i) => number(i, 1.7));
const outputs = inputs.map((value, i) => value + 0.1 * number(i, 2.3));

/** The mean over real tokens, in plain TypeScript. */
function expected(): number {
  let total = 0;
  let tokens = 0;
  lengths.forEach((length, sequence) => {
    for (let t = 0; t < length; t++) {
      const from = (sequence * T + t) * d;
      const errors = Array.from({ length: d }, (_, i) => outputs[from + i]! - inputs[from + i]!);
      total += Math.max(...errors.map((error) => error ** 2));
      tokens += 1;
    }
  });
  return total / tokens;
}

const slots = [{ layer: 1, splicedAt: 1 }];
const subjects = ['a', 'b'].map((owner) => ({
  owner,
  label: owner,
  width: d,
  slots: { reference: slots, strict: slots },
})) satisfies Subject[];

function accumulated(collected: Table): Accumulator {
  const accumulator = new Accumulator();
  const samples = lengths.map((length) => ({ ids: new Int32Array(T), length }));
  const positions = new Positions({ samples, T, device: 'cpu' });
  const into = new Collector({ positions, table: collected });
  scope(() => {
    const shape = [sequences * T, d];
    const x = fromTypedArray(inputs, shape);
    for (const { owner } of subjects) {
      const targets = [{ owner, protocol: 'strict' as const, slot: 0 }];
      measure({ x, reconstruction: fromTypedArray(outputs, shape), latents: null, targets }, into);
    }
    return null;
  });
  into.flush(accumulator);
  positions.dispose();
  accumulator.append(cleanKey('strict', 'positions'), Float64Array.from(lengths));
  accumulator.endBatch(sequences);
  return accumulator;
}

function assembled(asked: readonly string[]): Assembly {
  const collected = table.filter(({ name }) => asked.includes(name));
  return new Assembly(accumulated(collected), asked, {
    seed: 42,
    intervals: true,
    subjects,
    table,
  });
}

describe('an eleventh metric', () => {
  const values = (asked: readonly string[]): StrictValues & { MaxError: unknown } =>
    assembled(asked).strict(subjects[0]!) as StrictValues & { MaxError: unknown };

  it('is computed from tensors, with an interval and differences, and leaves none alive', () => {
    const before = memory().handles;
    const { MaxError } = values(['MaxError']);
    const { mean, ci95 } = MaxError as { mean: number; ci95: [number, number] };
    expect(mean).toBeCloseTo(expected(), 8); // float32 squares
    expect(ci95[0]).toBeLessThan(mean);
    expect(ci95[1]).toBeGreaterThan(mean);
    const same = { ratio: 1, ratioCi95: [1, 1] };
    expect(assembled(['MaxError']).comparisons(subjects)).toEqual([
      { metric: 'MaxError', a: 'b', b: 'a', difference: 0, ci95: [0, 0], ...same },
    ]);
    expect(memory().handles).toBe(before);
  });

  it('is the only sum that is kept if it alone is asked for', () => {
    const { columns, vectors } = accumulated([maxError]).state();
    expect([...columns.keys()].sort()).toEqual([
      'a|strict|0|largestError',
      'b|strict|0|largestError',
      'clean|strict|positions',
    ]);
    expect(vectors.size).toBe(0);
    expect(values(['MaxError']).NormMSE).toBeNull();
  });

  it('is in the schema, null with a reason if it is not asked for', () => {
    const schema = valuesSchema('strict', table);
    expect(schema.parse(values(['MaxError']))).toEqual(values(['MaxError']));
    expect(schema.safeParse({ ...values(['MaxError']), MaxError: 'large' }).success).toBe(false);
    const strict = values(['NormMSE']);
    expect(schema.parse(strict)).toMatchObject({ MaxError: null });
    const context = { asked: ['NormMSE'], kind: 'TopK', routing: null } as const;
    expect(notesOn({ reference: null, strict }, context, table)).toContainEqual({
      metric: 'strict.MaxError',
      en: 'The request did not ask for this metric.',
      zh: '请求中没有该指标。',
    });
  });

  it('has a row in reports of both languages, with the best in bold', () => {
    const results = [0.5, 0.25].map((mean) => {
      const sae = saeResult('TopK');
      return { ...sae, strict: { ...sae.strict!, MaxError: { mean } } };
    });
    for (const words of [en, zh])
      expect(
        mainTable(entriesOf(evaluationResult({ results })), 'strict', words, { table }).rows.at(-1),
      ).toEqual([
        { text: `${maxError.fields[0].name[words.lang]} ↓` },
        { text: '0.5000', sort: 0.5, best: false },
        { text: '0.2500', sort: 0.25, best: true },
      ]);
  });

  it('has a row in the documentation', () => {
    expect(metricsDocument(table).split('\n').at(-1)).toBe(
      '| `MaxError` | `MaxError` | mean over positions of `max_d((x̂ − x)²)` | – | lower | – | ' +
        'with interval | – | yes |',
    );
  });
});
