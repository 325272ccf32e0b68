/**
 * Complete results for tests of findings and reports: the golden numbers of the shipped files, or
 * variations of them.
 */
import type { Comparison, EvaluationResult, SaeKind, SaeResult } from '#src/schema/index.js';
import { referenceCase, strictCase } from '../evaluation/golden-case.js';

const latents = 1024;
const width = 128;
const routed = [4, 5, 6, 7, 8, 9, 10, 11, 12];
const several: readonly SaeKind[] = ['RouteSAE', 'MLSAE', 'Crosscoder'];

/** One SAE with the golden numbers of its kind on the shipped files. */
export function saeResult(kind: SaeKind, change: Partial<SaeResult> = {}): SaeResult {
  const reference = referenceCase('main').results[kind] as Record<string, number & number[]>;
  const strict = strictCase('main').results[kind] as Record<
    string,
    number & number[] & Record<string, Record<string, number>>
  >;
  const estimate = (
    field: string,
    spread = 0.02,
  ): { mean: number; ci95: [number, number] } | null => {
    const mean = strict[field];
    return mean === undefined
      ? null
      : { mean, ci95: [mean - spread * Math.abs(mean), mean + spread * Math.abs(mean)] };
  };
  return {
    label: kind,
    kind,
    checkpoint: `checkpoints/${kind}_tiny.pt`,
    ...(several.includes(kind) ? { layers: routed } : { layer: kind === 'RandomK' ? 5 : 16 }),
    d: width,
    m: latents,
    k: ['TopK', 'RouteSAE', 'MLSAE', 'RandomK'].includes(kind) ? 16 : null,
    routing: kind === 'RouteSAE' ? 'hard' : null,
    aggregation: kind === 'RouteSAE' ? 'sum' : null,
    error: null,
    reference: {
      NormMSE: reference['NormMSE'] ?? null,
      KLDiv: reference['KLDiv'] ?? null,
      DeltaCE: reference['DeltaCE'] ?? null,
      Recovered: reference['Recovered'] ?? null,
      RoutedPositions: reference['routedPositions'] ?? null,
    },
    strict: {
      NormMSE: estimate('NormMSE'),
      KLDivPerToken: estimate('KLDivPerToken'),
      KLDivPerSequence: estimate('KLDivPerSequence'),
      DeltaCE: estimate('DeltaCE'),
      Recovered: estimate('Recovered'),
      L0: estimate('L0'),
      L0OverHidden: estimate('L0OverHidden'),
      DeadLatents: { mean: strict['DeadLatents']! },
      ExplainedVariance: { mean: strict['ExplainedVariance']! },
      CosineSimilarity: estimate('CosineSimilarity'),
      NormRatio: { mean: 0.93, ci95: [0.92, 0.94] },
      RoutingShare: strict['RoutingShare'] ?? null,
      DensityHistogram: {
        log10: Array.from({ length: 41 }, (_, i) => -6 + (6 * i) / 40),
        count: Array.from({ length: 40 }, (_, i) => (i > 20 ? 50 : 1)),
        dead: 4,
      },
    },
    perLayer:
      strict['perLayer'] === undefined
        ? null
        : Object.entries<Record<string, number>>(strict['perLayer']).map(([layer, values], i) => ({
            layer: Number(layer),
            reference: {
              NormMSE: reference['NormMSEPerLayer']?.[i] ?? null,
              KLDiv: reference['KLDivPerLayer']?.[i] ?? null,
              DeltaCE: null,
              Recovered: null,
              splicedAt: kind === 'MLSAE' ? Number(layer) + 1 : null,
            },
            strict: {
              NormMSE: { mean: values['NormMSE']! },
              KLDivPerToken: { mean: values['KLDivPerToken']! },
              KLDivPerSequence: null,
              DeltaCE: null,
              Recovered: null,
              splicedAt: Number(layer),
            },
          })),
    sweep: null,
    notes:
      kind === 'Crosscoder'
        ? [
            {
              metric: 'reference.KLDiv',
              en: 'Under reference a Crosscoder has no splice.',
              zh: '在 reference 协议下 Crosscoder 没有替换。',
            },
          ]
        : [],
    ...change,
  };
}

/** Every pair of the SAEs' KL per token, with intervals of 2 % of the larger, or of `spread`. */
export function klPairs(results: readonly SaeResult[], spread = 0.02): Comparison[] {
  const kls = results.flatMap(({ label, strict }) =>
    strict?.KLDivPerToken ? [{ label, kl: strict.KLDivPerToken.mean }] : [],
  );
  return kls.flatMap((a, later) =>
    kls.slice(0, later).map((b): Comparison => {
      const [difference, ratio] = [a.kl - b.kl, a.kl / b.kl];
      const half = spread * Math.max(a.kl, b.kl);
      return {
        metric: 'KLDivPerToken',
        a: a.label,
        b: b.label,
        difference,
        ci95: [difference - half, difference + half],
        ratio,
        ratioCi95: [ratio * (1 - spread), ratio * (1 + spread)],
      };
    }),
  );
}

/** The shipped files' result, or one with these SAEs. */
export function evaluationResult(change: Partial<EvaluationResult> = {}): EvaluationResult {
  const kinds = Object.keys(referenceCase('main').results) as SaeKind[];
  const results = change.results ?? kinds.map((kind) => saeResult(kind));
  const comparisons: Comparison[] = [
    {
      metric: 'KLDivPerSequence',
      a: 'RouteSAE',
      b: 'TopK',
      difference: -16.25,
      ci95: [-17.1, -15.4],
    },
  ];
  return {
    id: '5c1f4c2e-0000-4000-8000-000000000000',
    createdAt: '2026-01-02T03:04:05.000Z',
    status: 'succeeded',
    config: {
      model: 'checkpoints/tiny-llama',
      dataset: { path: 'checkpoints/eval', textField: 'text', maxSamples: 150, seqLen: 256 },
      saes: results.map(({ kind, label, checkpoint, layer, k }) => ({
        kind,
        label,
        checkpoint,
        ...(layer === undefined ? {} : { layer }),
        ...(k === null ? {} : { k }),
      })),
      metrics: [
        'NormMSE',
        'KLDiv',
        'DeltaCE',
        'Recovered',
        'L0',
        'DeadLatents',
        'DensityHistogram',
        'ExplainedVariance',
        'CosineSimilarity',
        'RoutingShare',
      ],
      protocol: ['reference', 'strict'],
      batchSize: 64,
      device: 'cpu',
      dtype: 'float32',
      saeDtype: 'float32',
      seed: 42,
      deviceName: 'CPU (AVX512)',
      architecture: { family: 'llama', layers: 16, width, vocabulary: 4096, parameters: 3_672_192 },
      threads: 2,
      microBatch: { sequences: 16, logits: 2_097_152 },
      saeProducts: 'float32',
      versions: { 'sae-eval': '0.1.0', libtorch: '2.13.0', node: '20.20.2' },
    },
    data: {
      samples: 150,
      batches: 3,
      realTokens: 34_054,
      paddedTokens: 4346,
      records: 60,
      skippedRecords: 0,
      truncatedTokens: 12_619,
      warnings: [],
      skipped: [],
    },
    results,
    comparisons,
    findings: [],
    timing: { seconds: 30, tokensPerSecond: 1135 },
    memory: { peakBytes: 900 * 2 ** 20 },
    ...change,
  };
}
