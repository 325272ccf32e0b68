/**
 * Runs evaluations in a child process, so that the caller's event loop stays free and a crash, an
 * abort in native code or an out-of-memory kill reaches it as an error.
 */
import type { ChildProcess } from 'node:child_process';
import { asSaeEvalError, SaeEvalError, type SerializedError } from '../errors.js';
import type { Progress } from '../schema/record.js';
import type { ResolvedRequest } from '../schema/request.js';
import type { Bilingual, EvaluationResult, SaeResult } from '../schema/result.js';
import type { ShardDone } from '../evaluation/shards/runner.js';
import { describeDeath, outOfMemoryKills, type Death } from './death.js';
import { limitsOfEnvironment, SignsOfLife, type LifeLimits } from './signs-of-life.js';
import { forkChild, type ForkOptions } from './fork-child.js';
import type { PathTable } from '../evaluation/request/path-table.js';
import {
  fromChildSchema,
  type FromChild,
  type Machine,
  type ProcessUsage,
  type ToChild,
} from './protocol.js';

/**
 * The process ended while it worked. `explained`: by the job itself, so that trying again would end
 * the same way.
 */
export class ProcessDiedError extends SaeEvalError {
  constructor(
    message: string,
    readonly explained: boolean,
  ) {
    super('process-died', message);
  }
}

/** Milliseconds that a cancelled evaluation may take to stop by itself. */
const cancelGraceMs = 1000;
/** Milliseconds after which a killed process is given up: one in a driver's call cannot end. */
const killGraceMs = 5000;

export interface ComputeProcessOptions extends ForkOptions {
  /** A process that was started ahead; taken over by the first call. */
  child?: ChildProcess;
  /** Bytes of models and SAEs that stay loaded between evaluations; default none. */
  cacheBytes?: number;
  /** When a process that is stopped or hangs is ended; default: what the environment says. */
  limits?: LifeLimits;
}

export interface ComputeRunOptions {
  id?: string;
  createdAt?: string;
  /** Device to compute on, one of those that the request allows; default: chosen by the request. */
  device?: string;
  /**
   * File to which finished batches are written; a run that was killed continues from it. Removed by
   * the caller.
   */
  journal?: string;
  /** File for the sums of a run that has ended (docs/reference/sums.md). */
  sums?: string;
  /** File for the latents table, if the request has `latents` (docs/reference/latents.md). */
  latents?: string;
  /** Paths of the request in the file system; null (default): as they stand. */
  paths?: PathTable;
  /** Whether the model may be a TorchScript program; default false. */
  allowProgram?: boolean;
  /** Carries an OpenTelemetry trace on (`traceparent`, …). */
  trace?: Record<string, string>;
  signal?: AbortSignal;
  /** Stops and keeps what was done: the result is over those samples and says so. */
  stop?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Something that the result's warnings will tell too. */
  onNotice?: (text: Bilingual) => void;
  /**
   * The numbers of every SAE as they stand after a batch; not after every batch where they are
   * short.
   */
  onResult?: (results: SaeResult[]) => void;
}

export interface ComputeShardOptions {
  /** Folder of the run in shards. */
  folder: string;
  /** Index of the shard. */
  shard: number;
  /** Device to compute on; default: chosen by the request. */
  device?: string;
  /** Paths of the request in the file system; null (default): as they stand. */
  paths?: PathTable;
  /** Whether the model may be a TorchScript program; default false. */
  allowProgram?: boolean;
  /** Whether another kind of machine may have begun the run; default false. */
  anyMachine?: boolean;
  /** Whether a shard that is done is computed again, to compare its bits; default false. */
  repeat?: boolean;
  signal?: AbortSignal;
  /** Ends after the micro-batch under way; finished batches are kept. */
  stop?: AbortSignal;
  /** Samples of the shard that are done. */
  onSamples?: (samples: number) => void;
  onNotice?: (text: Bilingual) => void;
}

type Answer = EvaluationResult | Machine | ShardDone;

interface Pending {
  call: number;
  options: ComputeRunOptions & Pick<ComputeShardOptions, 'onSamples'>;
  resolve(value: Answer): void;
  reject(error: unknown): void;
}

type WithoutCall<T> = T extends { call: number } ? Omit<T, 'call'> : never;

const stderrKept = 8192;

/**
 * One process that computes: started when first needed, started again after it died. One call at a
 * time; others wait.
 */
export class ComputeProcess {
  #child: ChildProcess | null = null;
  #started: ChildProcess | null;
  #pending: Pending | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #calls = 0;
  #closed = false;
  #answers = false;
  #life: SignsOfLife | null = null;
  /** Resources of the process at its last message; null before one and without a process. */
  usage: ProcessUsage | null = null;
  /** Called with the process's id when one was started, with null when it ended. */
  onPid: (pid: number | null) => void = () => {};

  constructor(private readonly options: ComputeProcessOptions = {}) {
    this.#started = options.child ?? null;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Seconds since the process's last sign of life; null without a process. */
  get silence(): number | null {
    return this.#child === null ? null : (this.#life?.silence ?? null);
  }

  /** Whether there is a process and it has answered since it was started. */
  get answers(): boolean {
    return this.#answers;
  }

  /**
   * Runs one evaluation. A process whose device is lost is ended; the next call starts another.
   * @throws SaeEvalError `process-died` ({@link ProcessDiedError}), `cancelled` or the reason of
   *   the signal, and what `run` throws.
   */
  async run(request: ResolvedRequest, options: ComputeRunOptions = {}): Promise<EvaluationResult> {
    const { id, createdAt, device, journal, sums, latents, trace } = options;
    const { paths = null, allowProgram = false } = options;
    return (await this.#enqueue(
      {
        type: 'run',
        request,
        device,
        id,
        createdAt,
        journal,
        sums,
        latents,
        paths,
        allowProgram,
        cacheBytes: this.options.cacheBytes ?? 0,
        trace,
      },
      options,
    )) as EvaluationResult;
  }

  /**
   * Computes a shard of a run; the model and the SAEs stay loaded for the next one.
   * @throws SaeEvalError `process-died` ({@link ProcessDiedError}), `cancelled` or the reason of
   *   the signal, `preempted` if it was stopped, and what a runner throws.
   */
  async shard(request: ResolvedRequest, options: ComputeShardOptions): Promise<ShardDone> {
    const { folder, shard, device, paths = null } = options;
    const { allowProgram = false, anyMachine = false, repeat = false } = options;
    return (await this.#enqueue(
      {
        type: 'shard',
        folder,
        shard,
        repeat,
        request,
        device,
        paths,
        allowProgram,
        anyMachine,
        cacheBytes: this.options.cacheBytes ?? 0,
      },
      options,
    )) as ShardDone;
  }

  /**
   * Devices and versions, as libtorch sees them. A process that cannot tell them is ended; the next
   * call starts another.
   */
  async describe(): Promise<Machine> {
    return (await this.#enqueue({ type: 'describe' }, {})) as Machine;
  }

  /** Starts the process, so that it is ready sooner; calls do it by themselves. */
  prepare(): void {
    this.#child ??= this.#start();
  }

  /** Ends the process; a call under way fails with `cancelled`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#fail(new SaeEvalError('cancelled', 'The compute process was stopped.'));
    this.#child ??= this.#takeStarted();
    await this.end();
  }

  /** Ends the process; the next call starts another. */
  async end(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    const gone = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, killGraceMs);
      child.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    child.kill('SIGKILL');
    await gone;
    if (this.#child === child) this.#gone(child, abandoned);
  }

  #enqueue(message: WithoutCall<ToChild>, options: Pending['options']): Promise<Answer> {
    const turn = this.#last.then(() => this.#call(message, options));
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #call(message: WithoutCall<ToChild>, options: Pending['options']): Promise<Answer> {
    const { signal, stop } = options;
    if (this.#closed) throw new SaeEvalError('cancelled', 'The compute process was stopped.');
    if (isAborted(signal)) throw abortReason(signal);
    const call = ++this.#calls;
    const child = (this.#child ??= this.#start());
    let timer: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      child.send({ type: 'cancel', call } satisfies ToChild, () => {});
      timer = setTimeout(() => void this.end(), cancelGraceMs);
    };
    const onStop = (): void => void child.send({ type: 'stop', call } satisfies ToChild, () => {});
    try {
      return await new Promise((resolve, reject) => {
        this.#pending = { call, options, resolve, reject };
        signal?.addEventListener('abort', onAbort, { once: true });
        stop?.addEventListener('abort', onStop, { once: true });
        child.send({ ...message, call }, (error) => {
          // A process that is ending takes no messages; its `close` says why.
          if (error !== null && this.#child !== child)
            reject(
              new ProcessDiedError(
                'The compute process ended before it took the evaluation.',
                false,
              ),
            );
        });
        if (stop?.aborted === true) onStop();
      });
    } catch (thrown) {
      if (thrown instanceof CallbackFault) {
        await this.end(); // It would go on for nobody.
        throw thrown.cause;
      }
      if (isAborted(signal)) throw abortReason(signal);
      // A module that failed to load stays failed in that process, and so does a lost device.
      if (message.type === 'describe' || asSaeEvalError(thrown).code === 'device-lost')
        await this.end();
      throw thrown;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      stop?.removeEventListener('abort', onStop);
      this.#pending = null;
    }
  }

  /** The process started ahead, unless it was taken or has ended. */
  #takeStarted(): ChildProcess | null {
    const child = this.#started;
    this.#started = null;
    return child !== null && child.exitCode === null && child.signalCode === null ? child : null;
  }

  #start(): ChildProcess {
    const killsBefore = outOfMemoryKills();
    const child = this.#takeStarted() ?? forkChild(this.options);
    let stderr = '';
    let lost: string | null = null;
    const life = new SignsOfLife(child, this.options.limits ?? limitsOfEnvironment(), (why) => {
      lost = why;
      void this.end();
    });
    this.#life = life;
    child
      .stderr!.setEncoding('utf8')
      .on('data', (text: string) => (stderr = (stderr + text).slice(-stderrKept)));
    child.on('message', (raw) => this.#receive(raw));
    child.on('error', (error) => {
      stderr += `\nerror: ${error.message}`;
    });
    child.on('close', (code, signal) => {
      life.stop();
      if (this.#child !== child) return;
      const death = describeDeath({ code, signal, stderr, killsBefore });
      this.#gone(child, lost === null ? death : { sentence: lost, explained: false });
    });
    this.onPid(child.pid ?? null);
    return child;
  }

  /** The process has ended, or is given up. */
  #gone(child: ChildProcess, death: Death): void {
    child.removeAllListeners('message');
    this.#child = null;
    this.#life?.stop();
    this.#life = null;
    this.#answers = false;
    this.usage = null;
    this.onPid(null);
    this.#fail(new ProcessDiedError(death.sentence, death.explained));
  }

  #receive(raw: unknown): void {
    const pending = this.#pending;
    const parsed = fromChildSchema.safeParse(raw);
    if (!parsed.success) {
      // Partial numbers may be unfinished; only what ends a call must be right.
      if (
        (raw as FromChild | null)?.type === 'partial' ||
        (raw as FromChild | null)?.type === 'progress'
      )
        return;
      pending?.reject(
        new SaeEvalError(
          'internal',
          'The compute process sent a message that does not fit: ' +
            `${parsed.error.issues[0]?.path.join('.') ?? ''} ` +
            `${parsed.error.issues[0]?.message ?? ''}`,
        ),
      );
      return;
    }
    const message = parsed.data;
    if (message.type !== 'error') this.#answers = true;
    if ('usage' in message && message.usage !== undefined) this.usage = message.usage;
    if (pending === null || message.call !== pending.call) return;
    try {
      if (message.type === 'progress') pending.options.onProgress?.(message.progress);
      else if (message.type === 'notice') pending.options.onNotice?.(message.text);
      else if (message.type === 'partial') pending.options.onResult?.(message.results);
      else if (message.type === 'shard-progress') pending.options.onSamples?.(message.samples);
    } catch (thrown) {
      pending.reject(new CallbackFault('A function of the caller threw.', { cause: thrown }));
      return;
    }
    if (message.type === 'shard-done') pending.resolve(message.done);
    else if (message.type === 'result') pending.resolve(message.result);
    else if (message.type === 'described') pending.resolve(message.machine);
    else if (message.type === 'error')
      pending.reject(SaeEvalError.fromJSON(message.error as SerializedError));
  }

  #fail(error: SaeEvalError): void {
    this.#pending?.reject(error);
  }
}

/** A fault of a function of the caller, which ends the call with its cause. */
class CallbackFault extends Error {}

const abandoned: Death = {
  sentence: 'The compute process could not be ended (a driver or a file system holds it).',
  explained: false,
};

/** A function, because the state changes while control flow analysis looks away. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function abortReason(signal: AbortSignal | undefined): SaeEvalError {
  return signal?.reason instanceof SaeEvalError
    ? signal.reason
    : new SaeEvalError('cancelled', 'The evaluation was cancelled.');
}
