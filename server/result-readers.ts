/**
 * Reads stored results in processes of their own: renders reports, splits results into events,
 * reads tables of latents. So neither reading nor drawing delays other answers. They have a bounded
 * heap and time; clients take turns.
 *
 * No threads: V8 ends the whole process if one call, such as `JSON.parse`, takes more than is left
 * of the heap of a thread.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { entryFile } from '../src/entry.js';
import { asSaeEvalError, SaeEvalError, type SerializedError } from '../src/errors.js';
import type { ReadLatentsOptions } from '../src/evaluation/latents/read-latents.js';
import { childEnvironment } from '../src/inspect/child-environment.js';
import { startFault } from '../src/inspect/inspect.js';
import type { Latents } from '../src/schema/latents.js';
import type { ReportFormat, ReportLanguage } from '../src/schema/record.js';
import { FairGate, type Turn } from './fair-gate.js';

export interface ReportSettings {
  format: ReportFormat;
  lang: ReportLanguage;
  /** Whether the reader's browser may show another language first; default false. */
  languageOfReader?: boolean;
}

/** The stored text of a result, with its checksum; null of earlier versions. */
export interface ResultText {
  id: string;
  text: string;
  hash: string | null;
}

/** Work of a process. It asks for results one after the other, up to `count` of them. */
export type ResultTask =
  | { type: 'report'; count: number; settings: ReportSettings }
  | { type: 'split'; count: 1 }
  | { type: 'latents'; count: 0; path: string; query: ReadLatentsOptions };

export type ToResultReader = { task: ResultTask } | ResultText;
export type FromResultReader = { wants: number } | { answer: unknown } | { error: SerializedError };

export interface ResultReaderLimits {
  /** Heap of a process, in MiB. Default: a comparison of a hundred megabytes of results. */
  heapMebibytes?: number;
  /** Milliseconds that one answer may take. */
  longestMs?: number;
}

/** Milliseconds without work after which a process ends and frees its memory. */
const idleMs = 60_000;

export class ResultReaders {
  readonly #gate = new FairGate({
    atOnce: 2,
    atOncePerClient: 1,
    waiting: 500,
    waitingPerClient: 100,
    full: 'Too many results are being read; try again in a moment.',
  });
  readonly #limits: Required<ResultReaderLimits>;
  readonly #idle: { child: ChildProcess; timer: NodeJS.Timeout }[] = [];
  readonly #all = new Set<ChildProcess>();

  constructor({ heapMebibytes = 768, longestMs = 120_000 }: ResultReaderLimits = {}) {
    this.#limits = { heapMebibytes, longestMs };
  }

  /**
   * The report of one result, or the comparison of several.
   * @param read gives the text of a result when it is wanted.
   * @throws SaeEvalError `unavailable`; `request-invalid` if it needs more memory or time than an
   *   answer may take; what `read` throws.
   */
  async render(
    { count, read }: { count: number; read: (index: number) => ResultText },
    settings: ReportSettings,
    turn: Turn,
  ): Promise<string> {
    return (await this.#done({ type: 'report', count, settings }, read, turn)) as string;
  }

  /**
   * The results of the SAEs of a stored result, each as JSON.
   * @throws SaeEvalError `unavailable`, `storage-damaged`; `request-invalid` as above.
   */
  async split(result: ResultText, turn: Turn): Promise<string[]> {
    return (await this.#done({ type: 'split', count: 1 }, () => result, turn)) as string[];
  }

  /** @throws SaeEvalError what `readLatents` throws, `unavailable`; `request-invalid` as above. */
  async latents(path: string, query: ReadLatentsOptions, turn: Turn): Promise<Latents> {
    const none = (): never => {
      throw new Error('A table of latents needs no result.');
    };
    return (await this.#done({ type: 'latents', count: 0, path, query }, none, turn)) as Latents;
  }

  async close(): Promise<void> {
    this.#gate.close();
    for (const { timer } of this.#idle) clearTimeout(timer);
    await Promise.all([...this.#all].map(ended));
  }

  #done(task: ResultTask, read: (index: number) => ResultText, turn: Turn): Promise<unknown> {
    return this.#gate.through(turn, async (signal) => {
      for (;;) {
        const idle = this.#takeIdle();
        const child = idle ?? this.#start();
        try {
          const answer = await work(child, { task, read, signal, limits: this.#limits });
          this.#giveBack(child);
          return answer;
        } catch (thrown) {
          // Nobody knows what the process is at.
          await ended(child);
          // The death of one that was idle, perhaps before this task, says nothing about the task.
          const isOfTask = !(thrown instanceof SaeEvalError && thrown.code === 'process-died');
          if (idle === null || isOfTask || signal.aborted) throw thrown;
        }
      }
    });
  }

  #takeIdle(): ChildProcess | null {
    const idle = this.#idle.pop();
    if (idle === undefined) return null;
    clearTimeout(idle.timer);
    return idle.child;
  }

  #start(): ChildProcess {
    const child = fork(entryFile('server/result-reader-child.js'), {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { ...childEnvironment(), SAE_EVAL_PROCESS_PARENT: String(process.pid) },
      execArgv: [`--max-old-space-size=${this.#limits.heapMebibytes}`],
      // Texts are copied, not written as JSON.
      serialization: 'advanced',
    });
    this.#all.add(child);
    // One that could not be started does not exit.
    for (const event of ['exit', 'error'] as const)
      child.on(event, () => {
        this.#forget(child);
        this.#all.delete(child);
      });
    return child;
  }

  #forget(child: ChildProcess): void {
    const place = this.#idle.findIndex((one) => one.child === child);
    if (place >= 0) this.#idle.splice(place, 1);
  }

  #giveBack(child: ChildProcess): void {
    if (!this.#all.has(child)) return;
    child.unref();
    child.channel?.unref();
    const timer = setTimeout(() => {
      // Its exit is seen only later; until then a task could be given to it.
      this.#forget(child);
      child.kill('SIGKILL');
    }, idleMs).unref();
    this.#idle.push({ child, timer });
  }
}

/** Ends a process. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.ref();
  child.kill('SIGKILL');
  await exit;
}

/** Error of an answer that is too large. */
function tooLarge({ type }: ResultTask, what: string): SaeEvalError {
  if (type !== 'report')
    return new SaeEvalError(
      'request-invalid',
      `The answer takes more ${what}; fetch the result or the table as a file instead.`,
    );
  const message = `the report takes more ${what}`;
  return new SaeEvalError(
    'request-invalid',
    `evaluations: ${message}; compare fewer evaluations, or render it with \`sae-eval report\``,
    { fields: [{ path: 'evaluations', message }] },
  );
}

async function work(
  child: ChildProcess,
  {
    task,
    read,
    signal,
    limits: { heapMebibytes, longestMs },
  }: {
    task: ResultTask;
    read: (index: number) => ResultText;
    signal: AbortSignal;
    limits: Required<ResultReaderLimits>;
  },
): Promise<unknown> {
  const left = new AbortController();
  const send = (message: ToResultReader): void => {
    // The exit of a process that has ended tells more than a failed send.
    if (child.connected) child.send(message, () => undefined);
  };
  try {
    return await new Promise<unknown>((resolve, reject) => {
      const listen = <A extends unknown[]>(event: string, listener: (...args: A) => void): void => {
        child.on(event, listener as never);
        left.signal.addEventListener('abort', () => child.off(event, listener as never));
      };
      listen('message', (message: FromResultReader) => {
        if ('answer' in message) resolve(message.answer);
        else if ('error' in message) reject(SaeEvalError.fromJSON(message.error));
        else
          try {
            send(read(message.wants));
          } catch (thrown) {
            reject(asSaeEvalError(thrown, 'The report'));
          }
      });
      listen('error', (error: NodeJS.ErrnoException) => reject(startFault(error)));
      listen('exit', (code: number | null, name: NodeJS.Signals | null) =>
        reject(
          // V8 aborts when the heap is full.
          name === 'SIGABRT' || name === 'SIGTRAP' || code === 134
            ? tooLarge(task, `than ${heapMebibytes} MiB of memory`)
            : new SaeEvalError(
                'process-died',
                `The process that read the result ended (${name ?? `exit code ${code}`}).`,
              ),
        ),
      );
      const timer = setTimeout(
        () => reject(tooLarge(task, `than ${longestMs / 1000} s`)),
        longestMs,
      );
      const giveUp = (): void => reject(new SaeEvalError('cancelled', 'The caller has left.'));
      signal.addEventListener('abort', giveUp, { once: true });
      left.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
      });
      send({ task });
    });
  } finally {
    left.abort();
  }
}
