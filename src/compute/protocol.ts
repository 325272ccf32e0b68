/**
 * Messages between a host and its compute process over Node's IPC channel, checked by zod on
 * arrival. JSON carries every finite double exactly, so a result that crosses here keeps its bits.
 */
import { z } from 'zod';
import { progressSchema } from '../schema/record.js';
import { resolvedRequestFields } from '../schema/request.js';
import { machineKindSchema } from '../evaluation/shards/decided.js';
import type { ShardDone } from '../evaluation/shards/runner.js';
import { bilingualSchema, resultSchema, saeResultSchema } from '../schema/result.js';
import { pathTableSchema, serializedErrorSchema } from '../evaluation/request/path-table.js';

export const machineSchema = z.object({
  devices: z.array(
    z.object({
      name: z.string(),
      description: z.string(),
      totalBytes: z.number().nullable(),
      freeBytes: z.number().nullable(),
    }),
  ),
  versions: z.record(z.string(), z.string()),
  /** By device: what two machines must have in common to compute the same bits. */
  kinds: z.record(z.string(), machineKindSchema).optional(),
});
/** Devices and versions of this machine. */
export type Machine = z.infer<typeof machineSchema>;

export const processUsageSchema = z.object({
  residentBytes: z.number(),
  /** Memory of the device it computes on; null if that cannot be told. */
  device: z.object({ totalBytes: z.number(), freeBytes: z.number() }).nullable(),
  cache: z.object({
    bytes: z.number(),
    entries: z.number(),
    hits: z.number(),
    loads: z.number(),
    evictions: z.number(),
  }),
});
/** Resources of a compute process as of its last message. */
export type ProcessUsage = z.infer<typeof processUsageSchema>;

export const shardDoneSchema = z.object({
  outcome: z.enum(['written', 'there']),
  samples: z.number(),
  seconds: z.number(),
}) satisfies z.ZodType<ShardDone>;

export const toChildSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('run'),
    call: z.number().int(),
    request: z.object(resolvedRequestFields.shape),
    /** Device to compute on; default: chosen by the request. */
    device: z.string().optional(),
    id: z.string().optional(),
    createdAt: z.string().optional(),
    journal: z.string().optional(),
    sums: z.string().optional(),
    latents: z.string().optional(),
    paths: pathTableSchema,
    /** Whether the model may be a program; a server's own setting decides for its requests. */
    allowProgram: z.boolean(),
    cacheBytes: z.number(),
    trace: z.record(z.string(), z.string()).optional(),
  }),
  z.object({
    type: z.literal('shard'),
    call: z.number().int(),
    /** Folder of the run. */
    folder: z.string(),
    /** Index of the shard. */
    shard: z.number().int(),
    /** Whether it is computed again if it is done. */
    repeat: z.boolean(),
    request: z.object(resolvedRequestFields.shape),
    device: z.string().optional(),
    paths: pathTableSchema,
    allowProgram: z.boolean(),
    /** Whether another kind of machine may have begun the run. */
    anyMachine: z.boolean(),
    cacheBytes: z.number(),
  }),
  z.object({ type: z.literal('stop'), call: z.number().int() }),
  z.object({ type: z.literal('cancel'), call: z.number().int() }),
  z.object({ type: z.literal('describe'), call: z.number().int() }),
]);
export type ToChild = z.infer<typeof toChildSchema>;

export const fromChildSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('progress'),
    call: z.number().int(),
    progress: progressSchema,
    usage: processUsageSchema,
  }),
  z.object({ type: z.literal('notice'), call: z.number().int(), text: bilingualSchema }),
  z.object({
    type: z.literal('partial'),
    call: z.number().int(),
    results: z.array(saeResultSchema),
  }),
  z.object({
    type: z.literal('result'),
    call: z.number().int(),
    result: resultSchema,
    usage: processUsageSchema,
  }),
  z.object({ type: z.literal('shard-progress'), call: z.number().int(), samples: z.number() }),
  z.object({
    type: z.literal('shard-done'),
    call: z.number().int(),
    done: shardDoneSchema,
    usage: processUsageSchema,
  }),
  z.object({ type: z.literal('described'), call: z.number().int(), machine: machineSchema }),
  z.object({
    type: z.literal('error'),
    call: z.number().int(),
    error: serializedErrorSchema,
    usage: processUsageSchema.optional(),
  }),
]);
export type FromChild = z.infer<typeof fromChildSchema>;
