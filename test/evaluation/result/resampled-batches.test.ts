/** In a large run intervals resample whole batches, and the result says so. */
import { describe, expect, it } from 'vitest';
import { Assembly } from '#src/evaluation/result/assemble.js';
import { randomWords, stateOf } from '#src/evaluation/result/random-words.js';
import { batchesAbove, drawnBatches } from '#src/evaluation/result/resampled-units.js';
import { ResultBuilder } from '#src/evaluation/result/result-builder.js';
import { Accumulator } from '#src/metrics/accumulator.js';
import { cleanKey, slotKey } from '#src/metrics/keys.js';
import { renderReport } from '#src/report/index.js';
import { resolvedRequestSchema, resultSchema, type EvaluationResult } from '#src/schema/index.js';

const seed = 42;
const place = [{ layer: 1, splicedAt: 1 }];
const subject = { owner: '0.0', width: 4, slots: { reference: [], strict: place } };

/** KL and positions of sequences in batches of a size; the last batch may be smaller. */
function filled(sequences: number, batchSize: number): Accumulator {
  const accumulator = new Accumulator();
  const column = (value: (i: number) => number): Float64Array =>
    Float64Array.from({ length: sequences }, (_, i) => value(i));
  accumulator.append(
    cleanKey('strict', 'positions'),
    column((i) => 10 + (i % 5)),
  );
  accumulator.append(
    slotKey({ owner: subject.owner, protocol: 'strict', slot: 0 }, 'kl'),
    column((i) => 2 + Math.sin(i * i)),
  );
  for (let at = 0; at < sequences; at += batchSize)
    accumulator.endBatch(Math.min(batchSize, sequences - at));
  return accumulator;
}

/** Interval of Σ of a column over Σ of another, by drawing batches. */
function expected(accumulator: Accumulator, over: 'positions' | 'sequences'): [number, number] {
  const { batchSizes } = accumulator;
  const kl = accumulator.column(slotKey({ owner: '0.0', protocol: 'strict', slot: 0 }, 'kl'))!;
  const positions = accumulator.column(cleanKey('strict', 'positions'))!;
  let from = 0;
  const batches = batchSizes.map((size) => {
    const sum = (values: Float64Array): number =>
      values.slice(from, from + size).reduce((total, value) => total + value, 0);
    const one = { kl: sum(kl), over: over === 'positions' ? sum(positions) : size };
    from += size;
    return one;
  });
  const word = randomWords(stateOf(seed));
  const ratios = Array.from({ length: 10_000 }, () => {
    const drawn = batches.map(() => batches[Math.floor((word() * batches.length) / 2 ** 32)]!);
    const total = (of: 'kl' | 'over'): number => drawn.reduce((sum, one) => sum + one[of], 0);
    return total('kl') / total('over');
  }).sort((a, b) => a - b);
  const at = (q: number): number => {
    const position = q * 9999;
    const [low, high] = [ratios[Math.floor(position)]!, ratios[Math.ceil(position)]!];
    return low + (high - low) * (position % 1);
  };
  return [at(0.025), at(0.975)];
}

const assembled = (accumulator: Accumulator, above?: number): Assembly =>
  new Assembly(accumulator, ['KLDiv'], {
    seed,
    intervals: true,
    subjects: [subject],
    batchesAbove: above,
  });

describe('intervals', () => {
  it('resample batches above the number of sequences, each with its own size', () => {
    const accumulator = filled(240, 7);
    const values = assembled(accumulator, 239).strict(subject);
    for (const [field, over] of [
      ['KLDivPerToken', 'positions'],
      ['KLDivPerSequence', 'sequences'],
    ] as const) {
      const [low, high] = expected(accumulator, over);
      // The same draws, whose sums are added in another order.
      expect(values[field]!.ci95![0]).toBeCloseTo(low, 12);
      expect(values[field]!.ci95![1]).toBeCloseTo(high, 12);
    }
  });

  it('resample sequences up to it, and of batches too few for an interval', () => {
    const of = (batchSize: number, above: number): unknown =>
      assembled(filled(240, batchSize), above).strict(subject).KLDivPerToken!.ci95;
    expect(of(7, 240)).toEqual(of(7, Infinity));
    expect(of(7, 239)).not.toEqual(of(7, Infinity));
    expect(of(20, 100)).toEqual(of(20, Infinity));
  });
});

function resultOf(accumulator: Accumulator, above?: number): EvaluationResult {
  const builder = new ResultBuilder({
    facts: {
      request: resolvedRequestSchema.parse({
        model: 'm',
        dataset: { path: 'd' },
        saes: [{ kind: 'TopK', checkpoint: 'c', layer: 1, k: 2 }],
        metrics: ['KLDiv'],
        protocol: ['strict'],
        seed,
        device: 'cpu',
      }),
      model: {
        device: 'cpu',
        family: 'llama',
        layers: 2,
        width: 4,
        vocabulary: 8,
        parameters: 1000,
        notes: [],
      },
      saes: [
        {
          identity: {
            label: 'TopK',
            kind: 'TopK',
            checkpoint: 'c',
            layer: 1,
            d: 4,
            m: 8,
            k: 2,
            routing: null,
            aggregation: null,
          },
          form: 'dictionary',
          width: 4,
          hasNoReference: false,
          exclusion: { specials: false, ids: [], kept: null },
          excludedBy: 'default',
          notes: [],
          variants: [{ owner: subject.owner, sparsity: null }],
          measured: { slots: subject.slots, positions: 'all' },
          error: null,
        },
      ],
      deviceName: 'processor',
      versions: { libtorch: '2' },
    },
    decisions: {
      microBatch: { sequences: 1, lanesPerCall: 1, logits: 1 },
      threads: 1,
      saeProducts: 'float32',
    },
    identity: { id: 'i', createdAt: '2026-11-29T00:00:00.000Z' },
    ...(above === undefined ? {} : { batchesAbove: above }),
  });
  return builder.result(accumulator, {
    data: {
      samples: accumulator.sequences,
      records: accumulator.sequences,
      skippedRecords: 0,
      truncatedTokens: 0,
      warnings: [],
      skipped: [],
    },
    timing: { seconds: 1 },
    peakBytes: 1,
  });
}

describe('the result', () => {
  it('says what was resampled, in both languages, and so does the report', async () => {
    const result = resultSchema.parse(resultOf(filled(240, 7), 100));
    expect(result.config.intervals).toEqual({ batches: 35 });
    expect(result.data.warnings).toEqual([
      {
        en:
          'There are more than 100 samples, so the 95 % intervals resample the 35 batches ' +
          'instead of the sequences.',
        zh: '样本数超过 100，因此 95% 置信区间以 35 个批次（而非序列）为单位重采样。',
      },
    ]);
    expect(await renderReport(result, { format: 'md', lang: 'en' })).toContain(
      '| Intervals | bootstrap over 35 batches, as there are many samples |',
    );
    expect(await renderReport(result, { format: 'md', lang: 'zh' })).toContain(
      '| 置信区间 | 样本较多，以 35 个批次为单位的 bootstrap |',
    );
  });

  it('says nothing more of few samples', async () => {
    const result = resultOf(filled(240, 7));
    expect(result.config).not.toHaveProperty('intervals');
    expect(result.data.warnings).toEqual([]);
    expect(await renderReport(result, { format: 'md', lang: 'en' })).toContain(
      '| Intervals | bootstrap over sequences |',
    );
  });

  it('of 200,001 samples resamples their batches', () => {
    expect(batchesAbove).toBe(200_000);
    const result = resultOf(filled(200_001, 64));
    expect(result.config.intervals).toEqual({ batches: 3126 });
    expect(result.results[0]!.strict!.KLDivPerToken!.ci95).toHaveLength(2);
    expect(drawnBatches(filled(200_000, 64))).toBeNull();
  });
});
