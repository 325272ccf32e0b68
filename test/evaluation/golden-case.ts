/** The cases of expected.json and expected-strict.json as requests on the shipped files. */
import { readFileSync } from 'node:fs';
import type { EvaluationRequest, SaeKind } from '#src/schema/index.js';
import { golden, shipped } from '../golden/load.js';

interface CaseConfig {
  layer: number;
  k: number;
  seqLen: number;
  maxSamples: number;
  batchSize?: number;
  inferK?: number;
  theta?: number;
  routing?: 'hard' | 'soft';
  aggregation?: 'sum' | 'mean';
}

export interface GoldenCase {
  name: string;
  config: CaseConfig;
  results: Partial<
    Record<SaeKind, Record<string, number | number[] | Record<string, Record<string, number>>>>
  >;
}

const read = (file: string): GoldenCase[] =>
  (JSON.parse(readFileSync(golden(file), 'utf8')) as { cases: GoldenCase[] }).cases;

export function referenceCase(name: string): GoldenCase {
  return read('expected.json').find((one) => one.name === name)!;
}

export function strictCase(name: string): GoldenCase {
  return read('expected-strict.json').find((one) => one.name === name)!;
}

const singleLayer: readonly SaeKind[] = ['TopK', 'Vanilla', 'Gated', 'JumpReLU'];
const withK: readonly SaeKind[] = ['TopK', 'RouteSAE', 'MLSAE', 'RandomK'];

/** The request that computes a case under both protocols. */
export function requestFor({ config, results }: GoldenCase): EvaluationRequest {
  const {
    layer,
    k,
    seqLen,
    maxSamples,
    batchSize = 64,
    inferK,
    theta,
    routing,
    aggregation,
  } = config;
  return {
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), seqLen, maxSamples },
    batchSize,
    ...(inferK === undefined ? {} : { inferK }),
    ...(theta === undefined ? {} : { theta }),
    saes: (Object.keys(results) as SaeKind[]).map((kind) => ({
      kind,
      checkpoint: shipped(`${kind === 'RandomK' ? 'TopK' : kind}_tiny.pt`),
      ...(singleLayer.includes(kind) ? { layer } : {}),
      ...(withK.includes(kind) ? { k } : {}),
      ...(kind === 'RouteSAE' && routing !== undefined ? { routing } : {}),
      ...(kind === 'RouteSAE' && aggregation !== undefined ? { aggregation } : {}),
    })),
  };
}
