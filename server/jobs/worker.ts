/** Runs the evaluations of one device, one after another, in a compute process of its own. */
import { rmSync } from 'node:fs';
import { asSaeEvalError, SaeEvalError } from '../../src/errors.js';
import { ProcessDiedError, type ComputeProcess } from '../../src/compute/host.js';
import { startJobSpan, type JobSpan } from '../tracing.js';
import { DeviceProcess } from './device-process.js';
import { latentsBeside } from './latents-beside.js';
import { longestRest, Patience, pause } from './patience.js';
import { hasRoomFor } from './room.js';
import type { SharedRun, SharedRunOptions } from './shared-run.js';
import type { Job } from './stored-jobs.js';
import type { CancelOptions, Ending, WorkerHost, WorkerOptions } from './worker-host.js';

const betweenWrites = 2000;
/** Longest rest after evaluations that lost their device. */
const longestRestOfDevice = 60_000;

interface Ends {
  signal: AbortSignal;
  stop: AbortSignal;
  span: JobSpan;
}

/** Signals that end an evaluation, and receivers of its news. */
type News = Pick<SharedRunOptions, 'signal' | 'stop' | 'onProgress' | 'onNotice'>;

/** The evaluation that a worker has. */
interface Current {
  job: Job;
  controller: AbortController;
  /** Aborts if it is to stop and to keep what was done. */
  stop: AbortController;
}

export class DeviceWorker {
  readonly #process: DeviceProcess;
  /** Evaluations in a row that lost the device. */
  #losses = 0;
  #current: Current | null = null;
  readonly #stop = new AbortController();
  #woken = false;
  readonly #patience = new Patience(this.#stop.signal);
  #loop: Promise<void> | null = null;

  constructor(
    private readonly host: WorkerHost,
    private readonly options: WorkerOptions,
  ) {
    this.#process = new DeviceProcess(options, (message, details) => host.log(message, details));
    this.compute.onPid = (pid) => {
      if (this.#stop.signal.aborted) return;
      if (pid === null) {
        // Restarts the process at once, even if no evaluation waits.
        this.#process.hasDied = true;
        this.wake();
      }
      if (this.#current !== null) this.#tellPid(this.#current.job.id, pid);
    };
  }

  get compute(): ComputeProcess {
    return this.#process.compute;
  }

  /** Reason for which its compute process does not answer; null if it does or that is unknown. */
  get problem(): string | null {
    return this.#process.problem;
  }

  /** Whether a new process did not find the device that there was at the start. */
  get isGone(): boolean {
    return this.#process.isGone;
  }

  /** Id of the running evaluation, or null. */
  get running(): string | null {
    return this.#current?.job.id ?? null;
  }

  /** Looks for work, now or after the running evaluation. */
  wake(): void {
    this.#woken = true;
    this.#patience.wake();
    if (this.#loop !== null || this.#stop.signal.aborted) return;
    this.#loop = this.#work()
      .catch(async (error: unknown) => {
        if (this.#stop.signal.aborted) {
          this.host.log('the last writes failed; the next start continues', { err: error });
          return;
        }
        this.#report(error);
        await this.#patience.rest(longestRest);
        this.#woken = true;
      })
      .finally(() => {
        this.#loop = null;
        if (this.#woken) this.wake();
      });
  }

  /**
   * Stops the running evaluation within a batch if it is this one; `keep`: with a result over what
   * was done. Returns whether it is.
   */
  cancel(id: string, { keep = false, because }: CancelOptions = {}): boolean {
    if (this.#current?.job.id !== id) return false;
    if (keep) {
      this.#current.stop.abort();
      return true;
    }
    this.#current.controller.abort(
      because ?? new SaeEvalError('cancelled', 'The evaluation was cancelled.'),
    );
    this.#patience.wake();
    return true;
  }

  /** Ends the compute process; the running evaluation is requeued and keeps its batches. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.compute.close();
    await this.#loop;
  }

  async #work(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#woken = false;
      // A broken device would fail all that waits while others could take it.
      if (this.#losses > 1)
        await pause(Math.min(1000 * 2 ** this.#losses, longestRestOfDevice), this.#stop.signal);
      if (this.#process.hasDied) await this.#process.untilItAnswers({}, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      const current = await this.#take();
      if (current !== null) await this.#runToItsEnd(current);
      else if (!(await this.#help())) return;
    }
  }

  /** Computes shards of another device's evaluation. Returns whether there was one. */
  async #help(): Promise<boolean> {
    const { device, sharing } = this.options;
    const run = sharing?.joinable(device) ?? null;
    if (run === null || this.isGone) return false;
    const error = await run.help({
      device,
      compute: this.compute,
      mayLeave: () => this.#stop.signal.aborted || this.host.hasWaiting(device),
    });
    this.#losses = error?.code === 'device-lost' ? this.#losses + 1 : 0;
    return true;
  }

  /** The next evaluation. From here on it can be cancelled here. */
  #take(): Promise<Current | null> {
    return this.#patience.untilStored(() => {
      const job = this.host.take(this.options.device);
      this.#current =
        job === null
          ? null
          : { job, controller: new AbortController(), stop: new AbortController() };
      return this.#current;
    });
  }

  async #runToItsEnd({ job, controller, stop }: Current): Promise<void> {
    const { jobTimeout } = this.options;
    const timer =
      jobTimeout === 0
        ? undefined
        : globalThis.setTimeout(
            () =>
              controller.abort(
                new SaeEvalError(
                  'timed-out',
                  `The evaluation computed for ${jobTimeout} s, the longest the server allows.`,
                ),
              ),
            jobTimeout * 1000,
          );
    timer?.unref();
    const span = startJobSpan(job, this.options.device);
    try {
      const outcome = await this.#attempt(job, {
        signal: controller.signal,
        stop: stop.signal,
        span,
      }).catch((error: unknown) => {
        span.end('failed', String(error));
        throw error;
      });
      span.end(outcome?.status ?? 'requeued', outcome?.error?.message);
      if (outcome === null) return;
      this.#losses = outcome.error?.code === 'device-lost' ? this.#losses + 1 : 0;
      await this.#patience.untilStored(() => this.host.ended(job.id, outcome));
      this.#removeJournal(job.id);
    } catch (thrown) {
      if (this.#stop.signal.aborted) throw thrown;
      // Left as it is, the evaluation would be running for ever.
      this.#report(thrown, job.id);
      const error = asSaeEvalError(thrown, 'The worker').toJSON();
      await this.#patience.untilStored(() => this.host.ended(job.id, { status: 'failed', error }));
    } finally {
      clearTimeout(timer);
      this.#current = null;
    }
  }

  /** The outcome, or null if the server stops first or the device is gone. */
  async #attempt(job: Job, { signal, stop, span }: Ends): Promise<Ending | null> {
    const { device, sharing } = this.options;
    const seen = { batches: 0 };
    const news: News = {
      signal,
      stop,
      onProgress: (progress) => {
        seen.batches = progress.batches;
        this.host.progress(job.id, progress);
      },
      onNotice: ({ en }) => this.host.log(en, { id: job.id }),
    };
    const ends = AbortSignal.any([signal, this.#stop.signal]);
    const shared = sharing?.begin(device, { job, ...news, signal: ends }) ?? null;
    const end = async (): Promise<void> => {
      if (shared !== null) await sharing!.end(shared);
    };
    try {
      const outcome = await this.#tries(job, { news, seen, span, shared });
      if (outcome !== null || this.#stop.signal.aborted) return outcome;
      // Another device may take it when nobody writes into its folder any more.
      await end();
      await this.#patience.untilStored(() => this.host.requeued(job.id));
      return null;
    } finally {
      await end();
    }
  }

  /** Tries again after an unexplained death of the process, or a loss of the device. */
  async #tries(
    job: Job,
    {
      news,
      seen,
      span,
      shared,
    }: { news: News; seen: { batches: number }; span: JobSpan; shared: SharedRun | null },
  ): Promise<Ending | null> {
    const { signal, stop } = news;
    const { device } = this.options;
    let batchesAtDeath = -1;
    for (;;) {
      try {
        await this.#process.untilItAnswers({ orIsGone: true }, signal, this.#stop.signal);
        signal.throwIfAborted();
        this.#stop.signal.throwIfAborted();
        if (this.isGone) return null;
        await this.#patience.untilStored(() => this.host.started(job));
        span.attempt();
        if (this.compute.pid !== null) this.#tellPid(job.id, this.compute.pid);
        const result =
          shared === null
            ? await this.compute.run(job.request, {
                id: job.id,
                createdAt: job.createdAt,
                device,
                journal: this.options.journalOf(job.id),
                sums: this.options.sumsOf(job.id),
                latents: latentsBeside(this.options.sumsOf(job.id)),
                paths: job.paths,
                trace: span.carrier,
                ...news,
                onResult: (results) => this.host.results(job.id, results),
              })
            : await shared.result({ device, compute: this.compute });
        return { status: result.status, result };
      } catch (thrown) {
        const error = asSaeEvalError(thrown, 'The evaluation');
        if (signal.aborted)
          return {
            status: error.code === 'timed-out' ? 'failed' : 'cancelled',
            error: error.toJSON(),
          };
        // Nothing was done.
        if (stop.aborted && error.code === 'cancelled' && !this.#stop.signal.aborted)
          return { status: 'cancelled', error: error.toJSON() };
        if (this.#stop.signal.aborted) {
          this.host.requeued(job.id);
          return null;
        }
        // The journal has the finished batches: the evaluation continues after them.
        if (error.code === 'storage-full') {
          this.host.log('the disk is full; the evaluation continues when there is room', {
            id: job.id,
            reason: error.message,
          });
          do await pause(betweenWrites, signal, this.#stop.signal);
          while (
            !signal.aborted &&
            !this.#stop.signal.aborted &&
            !hasRoomFor(this.options.journalOf(job.id))
          );
          continue;
        }
        // One unexplained death may be chance; two at the same batch are not.
        const mayBeChance =
          error.code === 'device-lost' || (error instanceof ProcessDiedError && !error.explained);
        if (mayBeChance && batchesAtDeath < seen.batches && (shared?.fault ?? null) === null) {
          batchesAtDeath = seen.batches;
          this.host.log('the compute process or its device failed; trying once more', {
            id: job.id,
            device: this.options.device,
            reason: error.message,
          });
          continue;
        }
        return { status: 'failed', error: error.toJSON() };
      }
    }
  }

  #report(error: unknown, id?: string): void {
    const { device } = this.options;
    this.host.fault('the worker met an unexpected fault', { err: error, device, id });
  }

  #removeJournal(id: string): void {
    const journal = this.options.journalOf(id);
    try {
      for (const file of [journal, `${journal}.part`]) rmSync(file, { force: true });
      this.options.sharing?.forget(id);
    } catch (error) {
      this.host.log('the journal of an ended evaluation could not be removed', { err: error, id });
    }
  }

  /** Stores the process id, so that the next server can end a process that outlived this one. */
  #tellPid(id: string, pid: number | null): void {
    try {
      this.host.pid(id, pid);
    } catch (error) {
      this.host.log("the compute process's id could not be stored", { err: error, id });
    }
  }
}
