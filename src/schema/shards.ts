/** Schemas of shards and workers as a server with a queue tells them. */
import { z } from 'zod';

export const shardStates = ['done', 'running', 'queued', 'waiting'] as const;
export const workerStates = ['idle', 'computing', 'resting', 'gone'] as const;

export const shardEntrySchema = z
  .object({
    index: z.number().int(),
    state: z
      .enum(shardStates)
      .describe('`queued`: in the queue; `waiting`: put there when workers need it.'),
    batches: z.array(z.number().int()).describe('The first batch, and the one after the last.'),
    saes: z.array(z.number().int()).describe('Places of its SAEs in the request.'),
    samples: z.number().int(),
    worker: z.string().nullable().describe('Id of the worker that computes it.'),
  })
  .meta({ id: 'Shard' });

export const shardListSchema = z
  .object({
    plan: z.string().describe('Digest of the plan.'),
    done: z.number().int(),
    total: z.number().int(),
    items: z.array(shardEntrySchema),
  })
  .meta({ id: 'ShardList' });

export const workerSchema = z
  .object({
    id: z.string(),
    host: z.string(),
    device: z.string().describe('Device of its host, such as `cuda:1`.'),
    kind: z.string().describe('Kind of its machine; runs stay on one kind.'),
    state: z
      .enum(workerStates)
      .describe('`resting`: it met a fault of its own, `problem`; `gone`: it gives no sign.'),
    run: z
      .string()
      .nullable()
      .describe('Id of the evaluation whose shard it computes, if the caller may read it.'),
    shard: z.number().int().nullable(),
    problem: z.string().nullable(),
    seenSecondsAgo: z.number().describe('Seconds since its last sign.'),
  })
  .meta({ id: 'Worker' });

export const workerListSchema = z.object({ items: z.array(workerSchema) });

export type ShardList = z.infer<typeof shardListSchema>;
export type Worker = z.infer<typeof workerSchema>;
