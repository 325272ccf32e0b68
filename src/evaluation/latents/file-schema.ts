/** The columns of `latents.parquet`, and what its metadata says (docs/reference/latents.md). */
import type { ParquetWriter } from 'hyparquet-writer';
import { z } from 'zod';
import type { Latent, LatentContext } from '../../schema/index.js';

export const latentsFormat = 'sae-eval latents';

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number];
type Column = readonly [name: string, element: Omit<SchemaElement, 'name'>];

const int32 = { type: 'INT32' } as const;
const int64 = { type: 'INT64' } as const;
const double = { type: 'DOUBLE' } as const;
const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8' } as const;
const optional = { repetition_type: 'OPTIONAL' } as const;
const required = { repetition_type: 'REQUIRED' } as const;

const plain: readonly Column[] = [
  ['sae', { ...text, ...required }],
  ['latent', { ...int32, ...required }],
  ['layer', { ...int32, ...optional }],
  ['active', { ...int64, ...required }],
  ['density', { ...double, ...optional }],
  ['samples', { ...int64, ...required }],
  ['sampleShare', { ...double, ...optional }],
  ['mean', { ...double, ...optional }],
  ['max', { ...double, ...optional }],
  ['encoderNorm', { ...double, ...optional }],
  ['decoderNorm', { ...double, ...optional }],
  ['encoderDecoderCosine', { ...double, ...optional }],
  ['twin', { ...int32, ...optional }],
  ['twinCosine', { ...double, ...optional }],
];

const ofContexts: readonly Column[] = [
  ['sample', { ...int64, ...required }],
  ['position', { ...int32, ...required }],
  ['layer', { ...int32, ...optional }],
  ['value', { ...double, ...required }],
  ['tokenId', { ...int32, ...optional }],
  ['token', { ...text, ...optional }],
  ['before', { ...text, ...optional }],
  ['after', { ...text, ...optional }],
];

const elements = (columns: readonly Column[]): SchemaElement[] =>
  columns.map(([name, element]) => ({ name, ...element }));

/** A list column, whose elements are those given. */
const list = (name: string, ...element: SchemaElement[]): SchemaElement[] => [
  { name, converted_type: 'LIST', num_children: 1, ...required },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  ...element,
];

/** Names of the columns of single values. */
export const plainColumns = plain.map(([name]) => name) as (keyof Omit<
  Latent,
  'histogram' | 'contexts'
>)[];

export const parquetSchema: SchemaElement[] = [
  { name: 'latents', num_children: plain.length + 2 },
  ...elements(plain),
  ...list('histogram', { name: 'element', ...int64, ...required }),
  ...list(
    'contexts',
    { name: 'element', num_children: ofContexts.length, ...required },
    ...elements(ofContexts),
  ),
];

const isWhole = (columns: readonly Column[]): ReadonlySet<string> =>
  new Set(columns.flatMap(([name, { type }]) => (type === 'INT64' ? [name] : [])));
const wholePlain = isWhole(plain);
const wholeOfContexts = isWhole(ofContexts);

/** Values as Parquet's 64-bit integers, in the columns that have them. */
function stored(name: string, value: unknown, whole: ReadonlySet<string>): unknown {
  return whole.has(name) && value !== null ? BigInt(value as number) : value;
}

/** A column of rows as it is stored. */
export function storedColumn(name: string, rows: readonly Latent[]): unknown[] {
  if (name === 'histogram') return rows.map((row) => row.histogram.map(BigInt));
  if (name === 'contexts')
    return rows.map((row) =>
      row.contexts.map((context) =>
        Object.fromEntries(
          Object.entries(context).map(([key, value]) => [key, stored(key, value, wholeOfContexts)]),
        ),
      ),
    );
  return rows.map((row) => stored(name, row[name as keyof Latent], wholePlain));
}

const asNumber = (value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);

/** A row as it was before it was stored. */
export function restoredRow(row: Record<string, unknown>): Latent {
  const { histogram, contexts, ...rest } = row as Record<string, unknown> & {
    histogram: unknown[];
    contexts: Record<string, unknown>[];
  };
  const values = (one: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(Object.entries(one).map(([key, value]) => [key, asNumber(value) ?? null]));
  return {
    ...values(rest),
    histogram: histogram.map(asNumber),
    contexts: contexts.map((context) => values(context) as LatentContext),
  } as Latent;
}

/** Metadata of the table. */
export const latentsAboutSchema = z.object({
  format: z.literal(latentsFormat),
  version: z.literal(1),
  id: z.string(),
  'sae-eval': z.string(),
  /** Contexts of each latent. */
  contexts: z.number(),
  /** Edges of the bins of the histograms. */
  edges: z.array(z.number()),
  saes: z.array(
    z.object({
      label: z.string(),
      m: z.number(),
      /** Number of its first row. */
      row: z.number(),
      dead: z.number(),
      positions: z.number(),
      samples: z.number(),
    }),
  ),
});

export type LatentsAbout = z.infer<typeof latentsAboutSchema>;
