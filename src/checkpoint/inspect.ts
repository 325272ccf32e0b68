/** What `sae-eval inspect` prints. */
import type { SaeKind } from '../evaluation/schema/index.js';
import { readCheckpoint } from './read.js';

export interface CheckpointDescription {
  path: string;
  format: string;
  prefix: string;
  tensors: { name: string; dtype: string; shape: number[] }[];
  values: Record<string, string>;
  /** Paths of tensors beside the state dict, the first hundred. */
  others: string[];
  /** Kinds of SAE the file can be. */
  candidates: SaeKind[];
  /** Fields of a request that must be given with it. */
  needs: string[];
}

export interface InspectOptions {
  inferKinds: (shapes: ReadonlyMap<string, readonly number[]>) => { candidates: SaeKind[]; d: number; m: number; routedLayers: number | null };
}

const singleLayer: readonly SaeKind[] = ['TopK', 'Vanilla', 'Gated', 'JumpReLU'];
const withK: readonly SaeKind[] = ['TopK', 'RouteSAE', 'MLSAE', 'RandomK'];

/** What a file holds, and which kinds it can be. Reads headers only. */
export async function describeCheckpoint(path: string, { inferKinds }: InspectOptions): Promise<CheckpointDescription> {
  const { format, prefix, entries, values, others } = await readCheckpoint(path);
  const { candidates, m } = inferKinds(new Map([...entries].map(([name, { shape }]) => [name, shape])));
  const some = (kinds: readonly SaeKind[]): SaeKind[] => candidates.filter((kind) => kinds.includes(kind));
  const forKinds = (kinds: SaeKind[]): string => (kinds.length === candidates.length ? '' : ` (${kinds.join(', ')})`);
  const needs = [
    ...(candidates.length > 1 ? ['kind'] : []),
    ...(some(singleLayer).length > 0 ? [`layer${forKinds(some(singleLayer))}`] : []),
    ...(some(withK).length > 0 ? [`k, 1…${m}${forKinds(some(withK))}`] : []),
  ];
  return {
    path, format, prefix, candidates, needs,
    others: others.slice(0, 100),
    tensors: [...entries.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    values: Object.fromEntries([...values].slice(0, 100).map(([key, value]) => [key, String(value).slice(0, 200)])),
  };
}

/** The description as text for a terminal. */
export function renderDescription({ path, format, prefix, tensors, values, others, candidates, needs }: CheckpointDescription): string {
  const width = Math.max(...tensors.map(({ name }) => name.length), 0);
  const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, '�');
  return `${[
    `${path}: ${format}${prefix === '' ? '' : `, names without '${printable(prefix)}'`}`,
    ...tensors.map(({ name, dtype, shape }) => `  ${printable(name).padEnd(width)}  ${dtype.padEnd(8)}  [${shape.join(', ')}]`),
    ...Object.entries(values).map(([key, value]) => `  ${printable(key)} = ${printable(value)}`),
    ...(others.length === 0 ? [] : [`  beside it: ${printable(others.slice(0, 8).join(', '))}${others.length > 8 ? ', …' : ''}`]),
    `can be: ${candidates.join(', ') || 'none of the kinds'}`,
    ...(needs.length === 0 ? [] : [`must be given with it: ${needs.join('; ')}`]),
  ].join('\n')}\n`;
}
