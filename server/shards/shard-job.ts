/** Content of the queue: names of queues, ids and data of jobs. Nobody trusts it. */
import { z } from 'zod';
import type { MachineKind } from '../../src/evaluation/run/inputs.js';
import { digestOf } from '../../src/evaluation/shards/plan.js';

/** Largest index of a shard. */
const mostShards = 10_000_000;

export const shardJobSchema = z.strictObject({
  /** Folder of the run: below a root of the worker. */
  run: z.string().min(1).max(4096),
  shard: z.number().int().nonnegative().max(mostShards),
});
export type ShardJob = z.infer<typeof shardJobSchema>;

/** Name of all jobs; the queue says what they are. */
export const jobName = 'shard';

/** A short digest of a kind of machine. */
export const kindDigest = (kind: MachineKind): string => digestOf(kind).slice(0, 16);

/** Queue of the shards of runs that a kind of machine has begun. */
export const queueOfKind = (digest: string): string => `shards-${digest}`;
/** Queue of the first shards of runs that nobody has begun, by kind of device. */
export const queueOfDevice = (device: string): string => `shards-${device}`;
/** Queue of shards that any kind of machine may compute, by kind of device. */
export const queueOfAny = (device: string): string => `shards-any-${device}`;

export const jobId = (id: string, shard: number): string => `${id}/${shard}`;
