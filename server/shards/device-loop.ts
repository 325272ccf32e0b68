/** Computes shards of the queue on one device, one after another. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { UnrecoverableError, type Job } from 'bullmq';
import { type ComputeProcess } from '../../src/compute/host.js';
import { asSaeEvalError, SaeEvalError, type ErrorCode } from '../../src/errors.js';
import { kindOfDevice } from '../../src/evaluation/run/device.js';
import type { MachineKind } from '../../src/evaluation/run/inputs.js';
import { machineInWords } from '../../src/evaluation/shards/decided.js';
import type { Roots } from '../roots.js';
import { OwnAttempt } from './attempts.js';
import { QueueUnreachable, type QueueLink } from './queue-link.js';
import { findRun } from './run-folder.js';
import {
  kindDigest,
  queueOfAny,
  queueOfDevice,
  queueOfKind,
  shardJobSchema,
  type ShardJob,
} from './shard-job.js';
import { announce, betweenBeats, withdraw, type WorkerEntry } from './worker-list.js';

export interface DeviceLoopOptions {
  link: QueueLink;
  roots: Roots;
  device: string;
  kind: MachineKind;
  /** Its process; the loop ends it. */
  compute: ComputeProcess;
  /** Whether it computes runs that another kind of machine began; default false. */
  anyMachine?: boolean;
  log: (message: string) => void;
}

/** Milliseconds between looks at empty queues; first and longest rest after a fault of its own. */
const betweenLooks = 500;
const firstRest = 2000;
const longestRest = 60_000;

/** Faults that say nothing about the shard: another worker may compute it. */
const ofThisWorker: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'path-outside-roots',
  'file-not-found',
  'file-unreadable',
  'machine-differs',
  'device-unavailable',
  'setup-missing',
  'storage-full',
]);

export class DeviceLoop {
  readonly id: string;
  readonly #stop = new AbortController();
  readonly #entry: WorkerEntry;
  readonly #queues: readonly string[];
  #rest = 0;
  #wasGivenBack = false;

  constructor(private readonly options: DeviceLoopOptions) {
    const { device, kind, anyMachine = false } = options;
    const digest = kindDigest(kind);
    const own = `${hostname()}-${process.pid}-${device}-${randomBytes(3).toString('hex')}`;
    this.id = own.replaceAll(/[^\w.-]/g, '-');
    const family = kindOfDevice(device);
    this.#queues = [
      queueOfKind(digest),
      ...(anyMachine ? [queueOfAny(family)] : []),
      queueOfDevice(family),
    ];
    this.#entry = {
      id: this.id,
      host: hostname(),
      device,
      kind: digest,
      machine: machineInWords(kind).slice(0, 500),
      any: anyMachine,
      state: 'idle',
      run: null,
      shard: null,
      samples: 0,
      problem: null,
      beat: 0,
    };
  }

  /** Works until it is stopped. @returns whether it gave a shard back. */
  async run(): Promise<boolean> {
    const { link, compute } = this.options;
    const beats = setInterval(() => void this.#beat(), betweenBeats);
    void this.#beat();
    try {
      while (!this.#isStopped) {
        const taken = await this.#take();
        if (taken === null) await this.#pause(betweenLooks);
        else await this.#work(taken.job, taken.token);
        if (this.#rest > 0) await this.#pause(this.#rest);
      }
    } finally {
      clearInterval(beats);
      await compute.close();
      await link.tell(() => withdraw(link, this.id));
    }
    return this.#wasGivenBack;
  }

  /** Ends the work after the micro-batch under way; finished batches are kept. */
  stop(): void {
    this.#stop.abort();
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  #pause(milliseconds: number): Promise<void> {
    return delay(milliseconds, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  #beats: Promise<void> = Promise.resolve();
  #isBeating = false;

  async #beat(): Promise<void> {
    if (this.#isBeating) return;
    this.#isBeating = true;
    const { link } = this.options;
    this.#beats = link.tell(() =>
      announce(link, { ...this.#entry, beat: (this.#entry.beat += 1) }),
    );
    await this.#beats;
    this.#isBeating = false;
  }

  #now(state: Partial<WorkerEntry>): void {
    Object.assign(this.#entry, state);
    void this.#beat();
  }

  async #take(): Promise<{ job: Job; token: string } | null> {
    const { link } = this.options;
    for (const name of this.#queues) {
      const token = randomBytes(12).toString('hex');
      try {
        const job = await link.take(name, token);
        if (job !== null) return { job, token };
      } catch (thrown) {
        if (!(thrown instanceof QueueUnreachable)) throw thrown;
        await this.#pause(1000);
        return null;
      }
    }
    return null;
  }

  async #work(job: Job, token: string): Promise<void> {
    const { link, log } = this.options;
    const renewal = setInterval(
      () => void link.tell(() => job.extendLock(token, link.lockMilliseconds)),
      link.lockMilliseconds / 2,
    );
    try {
      const outcome = await this.#compute(job.data);
      clearInterval(renewal);
      // Whoever took the shard meanwhile may have ended the job: the file is what counts.
      await link.tell(() => job.moveToCompleted(outcome, token, false));
      this.#rest = 0;
      this.#now({ state: 'idle', run: null, shard: null, samples: 0, problem: null });
    } catch (thrown) {
      clearInterval(renewal);
      const error = asSaeEvalError(thrown, 'The shard');
      if (error.code === 'preempted') {
        this.#wasGivenBack = true;
        await link.tell(() => job.moveToWait(token));
        return;
      }
      if (error.code !== 'cancelled') log(`shard not computed: ${error.message}`);
      const isOwn = ofThisWorker.has(error.code);
      this.#rest = isOwn ? Math.min(longestRest, Math.max(firstRest, 2 * this.#rest)) : 0;
      await link.tell(() => job.moveToFailed(new UnrecoverableError(error.code), token, false));
      this.#now({
        state: isOwn ? 'resting' : 'idle',
        run: null,
        shard: null,
        samples: 0,
        problem: isOwn ? error.message.slice(0, 2000) : null,
      });
    }
  }

  async #compute(data: unknown): Promise<string> {
    const { run, shard } = jobOf(data);
    const { roots, device, compute, anyMachine = false } = this.options;
    const { store, plan, paths } = await findRun(roots, run);
    if (plan.shards[shard] === undefined)
      throw new SaeEvalError('request-invalid', `The run has no shard ${shard}.`);
    if (store.has(shard)) return 'there';
    store.throwIfCancelled();
    this.#now({ state: 'computing', run: plan.id, shard, samples: 0, problem: null });
    const attempt = new OwnAttempt(store.folder, {
      shard,
      worker: this.id,
      host: hostname(),
      device,
    });
    try {
      const { outcome } = await compute.shard(plan.request, {
        folder: store.folder,
        shard,
        device,
        paths,
        anyMachine,
        stop: this.#stop.signal,
        onSamples: (samples) => (this.#entry.samples = samples),
        onNotice: ({ en }) => this.options.log(en),
      });
      attempt.end();
      return outcome;
    } catch (thrown) {
      const error = asSaeEvalError(thrown, `Shard ${shard}`);
      const says = error.code !== 'preempted' && error.code !== 'cancelled';
      if (says && !ofThisWorker.has(error.code)) attempt.fail(error.toJSON());
      else attempt.end();
      throw error;
    }
  }
}

/** @throws SaeEvalError `request-invalid`. */
function jobOf(data: unknown): ShardJob {
  const parsed = shardJobSchema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new SaeEvalError(
    'request-invalid',
    'The queue holds a job that is no shard; it was dropped.',
  );
}
