/**
 * The list of workers: each keeps a job with its state in a queue of its own, which nobody takes.
 * Whether a worker lives is seen by its beats, since clocks differ.
 */
import type { Queue } from 'bullmq';
import { z } from 'zod';
import type { QueueLink } from './queue-link.js';

const queueName = 'workers';
const mostWorkers = 2000;
/** Milliseconds without a beat after which a worker counts as gone, and until it is forgotten. */
const silence = 20_000;
const forgotten = 600_000;
export const betweenBeats = 2000;

const text = z.string().max(500);

export const workerEntrySchema = z.object({
  id: z.string().min(1).max(200),
  host: text,
  /** Device of its machine, such as `cuda:1`. */
  device: z
    .string()
    .regex(/^[a-z]+(:\d+)?$/)
    .max(20),
  /** Digest of its kind of machine. */
  kind: z.string().regex(/^[0-9a-f]{16}$/),
  /** Its kind of machine in words. */
  machine: text,
  /** Whether it computes runs that another kind of machine began. */
  any: z.boolean(),
  state: z.enum(['idle', 'computing', 'resting']),
  /** Id of the run and index of the shard that it computes. */
  run: z.string().max(200).nullable(),
  shard: z.number().int().nonnegative().nullable(),
  /** Samples of the shard that are done. */
  samples: z.number().nonnegative(),
  /** Why it does not compute. */
  problem: z.string().max(2000).nullable(),
  beat: z.number().int().nonnegative(),
});
export type WorkerEntry = z.infer<typeof workerEntrySchema>;

/** A worker as the server knows it. */
export interface SeenWorker extends WorkerEntry {
  /** Seconds since its last beat arrived here. */
  seenSecondsAgo: number;
  isAlive: boolean;
}

const queueOf = (link: QueueLink): Queue => link.queue(queueName);

/** Puts a worker's entry into the list, or renews it. */
export async function announce(link: QueueLink, entry: WorkerEntry): Promise<void> {
  const queue = queueOf(link);
  const job = await queue.getJob(entry.id);
  if (job === undefined) await queue.add('worker', entry, { jobId: entry.id });
  else await job.updateData(entry);
}

/** Takes a worker off the list. */
export async function withdraw(link: QueueLink, id: string): Promise<void> {
  await queueOf(link).remove(id);
}

/** The list as the server sees it. */
export class WorkerList {
  readonly #seen = new Map<string, { entry: WorkerEntry; at: number }>();

  constructor(private readonly link: QueueLink) {}

  /** Looks at the list. @throws QueueUnreachable. */
  async look(): Promise<void> {
    const queue = queueOf(this.link);
    const jobs = await this.link.ask(() => queue.getJobs(['waiting'], 0, mostWorkers));
    const now = performance.now();
    const listed = new Set<string>();
    for (const job of jobs) {
      const parsed = workerEntrySchema.safeParse(job?.data);
      if (!parsed.success || parsed.data.id !== job.id) continue;
      const entry = parsed.data;
      listed.add(entry.id);
      const known = this.#seen.get(entry.id);
      if (known?.entry.beat !== entry.beat) this.#seen.set(entry.id, { entry, at: now });
    }
    for (const [id, { at }] of this.#seen) {
      const isOld = now - at > forgotten;
      if (isOld) await this.link.tell(() => queue.remove(id));
      // One that is off the list may come back with the queue's data.
      if (isOld || (!listed.has(id) && now - at > silence)) this.#seen.delete(id);
    }
  }

  all(): SeenWorker[] {
    const now = performance.now();
    return [...this.#seen.values()]
      .map(({ entry, at }) => ({
        ...entry,
        seenSecondsAgo: (now - at) / 1000,
        isAlive: now - at < silence,
      }))
      .sort((a, b) =>
        a.host === b.host ? (a.device < b.device ? -1 : 1) : a.host < b.host ? -1 : 1,
      );
  }

  alive(): SeenWorker[] {
    return this.all().filter(({ isAlive }) => isAlive);
  }
}
