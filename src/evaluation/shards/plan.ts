/**
 * The plan of a run in shards: which batches and which SAEs each shard computes. The same request
 * on the same files and texts gives the same plan, wherever they lie and whoever makes it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { bilingualSchema } from '../../schema/result.js';
import { resolvedRequestFields } from '../../schema/request.js';
import { skippedSchema } from '../../schema/skipped.js';

export const planFormat = 'sae-eval plan';
export const planVersion = 1;

const count = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Identity of a file by its content, whatever its path. */
export const contentIdentitySchema = z.object({
  /** As the request that made the plan names it; no part of the identity. */
  name: z.string(),
  use: z.enum(['settings', 'weights', 'text']),
  bytes: count,
  /** SHA-256 of the content or, of large files, of samples of it. */
  digest: sha256,
});
export type ContentIdentity = z.infer<typeof contentIdentitySchema>;

export const shardSchema = z.object({
  index: count,
  /** The first batch, and the one after the last. */
  batches: z.tuple([count, count]),
  /** Place of its SAEs in the plan's groups. */
  group: count,
});
export type Shard = z.infer<typeof shardSchema>;

const tokensSchema = z.object({
  samples: count,
  batches: count,
  /** Bytes of the record of a sample. */
  recordBytes: count,
  /** SHA-256 of the records of each range of batches that a shard computes, in order. */
  ranges: z.array(z.object({ batches: z.tuple([count, count]), sha256 })).min(1),
});

export const planSchema = z.object({
  format: z.literal(planFormat),
  version: z.literal(planVersion),
  /** Digest of everything that decides the numbers; no path, no time and no name counts. */
  digest: sha256,
  /** Digest of the request and its files alone, which a process that joins compares. */
  inputs: sha256,
  id: z.string(),
  createdAt: z.string(),
  request: z.object(resolvedRequestFields.shape),
  files: z.array(contentIdentitySchema),
  /** Whether samples begin with BOS; left out for the tokenizer's own way. */
  prependBos: z.boolean().optional(),
  tokens: tokensSchema,
  data: z.object({
    samples: count,
    records: count,
    skippedRecords: count,
    truncatedTokens: count,
    warnings: z.array(bilingualSchema),
    skipped: z.array(skippedSchema),
  }),
  /** Groups of SAEs, by their places in the request. */
  groups: z.array(z.array(count).min(1)).min(1),
  shards: z.array(shardSchema).min(1),
});
export type ShardPlan = z.infer<typeof planSchema>;

/** Samples of a shard, about. */
export const defaultShardSamples = 1024;
/** Shards that a run has at least, if it has as many batches. */
const fewestShards = 32;

/**
 * Ranges of whole batches, of about `shardSamples` samples; without a wish, also few enough for
 * several devices to share them evenly.
 */
export function rangesOf({
  batches,
  batchSize,
  shardSamples,
}: {
  batches: number;
  batchSize: number;
  shardSamples?: number | undefined;
}): [number, number][] {
  const most = Math.max(1, Math.round((shardSamples ?? defaultShardSamples) / batchSize));
  const each =
    shardSamples === undefined ? Math.min(most, Math.ceil(batches / fewestShards)) : most;
  return Array.from({ length: Math.ceil(batches / each) }, (_, range) => [
    range * each,
    Math.min(batches, (range + 1) * each),
  ]);
}

/** SAEs in groups of at most `saesPerShard`; SAEs of one site stand together. */
export function groupsOf(sites: readonly string[], saesPerShard: number = Infinity): number[][] {
  const order = [...sites.keys()];
  if (saesPerShard >= sites.length) return [order];
  const places = [...new Set(sites)];
  order.sort((a, b) => places.indexOf(sites[a]!) - places.indexOf(sites[b]!) || a - b);
  return Array.from({ length: Math.ceil(order.length / saesPerShard) }, (_, group) =>
    order.slice(group * saesPerShard, (group + 1) * saesPerShard),
  );
}

/** One shard for each range and group; a group's shards follow each other. */
export function shardsOf(ranges: readonly [number, number][], groups: number): Shard[] {
  return Array.from({ length: groups }, (_, group) => ranges.map((batches) => ({ batches, group })))
    .flat()
    .map(({ batches, group }, index) => ({ index, batches, group }));
}

/** JSON with the keys of objects in order: what fills in defaults appends them as it comes. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}

/** SHA-256 of a value as JSON, whatever the order of its keys. */
export const digestOf = (value: unknown): string =>
  createHash('sha256').update(canonicalJson(value)).digest('hex');

/** The digest of a plan. */
export function planDigest({
  inputs,
  prependBos,
  tokens,
  groups,
  shards,
}: Pick<ShardPlan, 'inputs' | 'prependBos' | 'tokens' | 'groups' | 'shards'>): string {
  return digestOf([
    planVersion,
    inputs,
    prependBos ?? null,
    tokens.samples,
    tokens.recordBytes,
    tokens.ranges.map(({ batches, sha256: own }) => [...batches, own]),
    groups,
    shards.map(({ batches, group }) => [...batches, group]),
  ]);
}

/** Samples of a shard. */
export function samplesOf({ request, tokens }: ShardPlan, { batches: [from, to] }: Shard): number {
  return Math.min(tokens.samples, to * request.batchSize) - from * request.batchSize;
}
