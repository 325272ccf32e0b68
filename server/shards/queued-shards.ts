/**
 * Shards of active runs in the queue: what has no file and no job is put again, and few at a time,
 * so that the server's fair order decides what comes next.
 */
import { SaeEvalError } from '../../src/errors.js';
import type { ActiveRun } from './active-run.js';
import type { QueueLink } from './queue-link.js';
import {
  jobId,
  jobName,
  queueOfAny,
  queueOfDevice,
  queueOfKind,
  type ShardJob,
} from './shard-job.js';
import type { SeenWorker } from './worker-list.js';

const shardsForEachWorker = 2;

export class QueuedShards {
  /** Jobs that wait, by the queue's name; null if the queue cannot be asked. */
  #waiting: Map<string, number> | null = null;

  constructor(private readonly link: QueueLink) {}

  /** Compares what runs think is in the queue with what is there. */
  async compare(runs: readonly ActiveRun[]): Promise<void> {
    this.forget();
    if (runs.length === 0) return;
    const names = new Set(
      runs.flatMap((run) => [
        queueOfDevice(run.device),
        queueOfAny(run.device),
        ...(run.kind === null ? [] : [queueOfKind(run.kind)]),
        ...run.queued.values(),
      ]),
    );
    const live = new Set<string>();
    const waiting = new Map<string, number>();
    try {
      for (const name of names) {
        const queue = this.link.queue(name);
        const [waits, active] = await this.link.ask(() =>
          Promise.all([queue.getJobs(['waiting']), queue.getJobs(['active'])]),
        );
        waiting.set(name, waits.length);
        for (const job of [...waits, ...active]) if (job?.id !== undefined) live.add(job.id);
      }
    } catch (thrown) {
      if (thrown instanceof SaeEvalError) throw thrown;
      return;
    }
    this.#waiting = waiting;
    for (const run of runs) run.compareQueue(live);
  }

  /** The queue cannot be asked: nothing is put until it was compared again. */
  forget(): void {
    this.#waiting = null;
  }

  /**
   * Puts shards of runs into the queues, as many as the workers that read them can take soon.
   * @param runs those for one kind of device, in their order.
   * @param able workers with such a device.
   */
  async fill(
    runs: readonly ActiveRun[],
    { device, able }: { device: string; able: readonly SeenWorker[] },
  ): Promise<void> {
    try {
      for (const run of runs) {
        if (run.outcome !== null || run.phase !== 'computing') continue;
        if (run.kind === null) {
          const [first] = run.unqueued();
          const name = queueOfDevice(device);
          // One shard decides for all.
          if (run.queued.size === 0 && first !== undefined && this.#hasRoom(name, able.length))
            await this.#put(run, first, name);
          continue;
        }
        const [own, any] = [queueOfKind(run.kind), queueOfAny(device)];
        const same = able.filter(({ kind }) => kind === run.kind).length;
        const others = able.filter((worker) => worker.any && worker.kind !== run.kind).length;
        if (same === 0 && others > 0) await this.#takeBack(run, own);
        for (const index of run.unqueued()) {
          if (this.#hasRoom(own, same)) await this.#put(run, index, own);
          else if (this.#hasRoom(any, others)) await this.#put(run, index, any);
          else break;
        }
      }
    } catch (thrown) {
      if (thrown instanceof SaeEvalError) throw thrown;
    }
  }

  #hasRoom(name: string, readers: number): boolean {
    if (this.#waiting === null) return false;
    return shardsForEachWorker * readers > (this.#waiting.get(name) ?? 0);
  }

  async #put(run: ActiveRun, index: number, name: string): Promise<void> {
    const data: ShardJob = { run: run.place.name, shard: index };
    await this.link.ask(() =>
      this.link.queue(name).add(jobName, data, {
        jobId: jobId(run.id, index),
        removeOnComplete: true,
        removeOnFail: true,
      }),
    );
    run.queued.set(index, name);
    this.#waiting?.set(name, (this.#waiting.get(name) ?? 0) + 1);
  }

  /** Takes shards out of a queue that nobody reads any more, so that others compute them. */
  async #takeBack(run: ActiveRun, unread: string): Promise<void> {
    for (const [index, name] of [...run.queued]) {
      if (name !== unread) continue;
      // One that a lost worker holds stays there, and is computed by others all the same.
      await this.link.tell(() => this.link.queue(name).remove(jobId(run.id, index)));
      run.queued.delete(index);
    }
  }

  /** Takes the shards of a run out. */
  async remove(run: ActiveRun): Promise<void> {
    for (const [index, name] of [...run.queued])
      await this.link.tell(() => this.link.queue(name).remove(jobId(run.id, index)));
  }
}
