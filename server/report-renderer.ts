/**
 * Renders reports in worker threads, so that neither reading results nor drawing charts delays
 * other answers. There are two threads with a bounded heap; clients take turns.
 */
import { Worker } from 'node:worker_threads';
import { asSaeEvalError, SaeEvalError, type SerializedError } from '../src/errors.js';
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

export type ToReportThread = { settings: ReportSettings; count: number } | ResultText;
export type FromReportThread = { wants: number } | { text: string } | { error: SerializedError };

/** Milliseconds without work after which a thread ends and frees its memory. */
const idleMs = 60_000;
/** Milliseconds that a report may take. */
const longestRendering = 120_000;
/** Heap of a thread, in MiB: a comparison of a hundred megabytes of results. */
const heapMebibytes = 768;

export class ReportRenderer {
  readonly #gate = new FairGate({
    atOnce: 2,
    atOncePerClient: 1,
    waiting: 500,
    waitingPerClient: 100,
    full: 'Too many reports are being rendered; try again in a moment.',
  });
  readonly #idle: { worker: Worker; timer: NodeJS.Timeout }[] = [];
  readonly #all = new Set<Worker>();

  /**
   * The report of one result, or the comparison of several.
   * @param read gives the text of a result when it is wanted.
   * @throws SaeEvalError `unavailable`; `request-invalid` if it needs more memory or time than a
   *   report may take; what `read` throws.
   */
  async render(
    { count, read }: { count: number; read: (index: number) => ResultText },
    settings: ReportSettings,
    turn: Turn,
  ): Promise<string> {
    return this.#gate.through(turn, async (signal) => {
      const worker = this.#take();
      try {
        const text = await work(worker, { count, read, settings, signal });
        this.#giveBack(worker);
        return text;
      } catch (thrown) {
        // Nobody knows what the thread is at.
        await worker.terminate();
        this.#all.delete(worker);
        throw thrown;
      }
    });
  }

  async close(): Promise<void> {
    this.#gate.close();
    for (const { timer } of this.#idle) clearTimeout(timer);
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #take(): Worker {
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      clearTimeout(idle.timer);
      return idle.worker;
    }
    const worker = new Worker(new URL('./report-worker.js', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: heapMebibytes },
    });
    worker.unref();
    this.#all.add(worker);
    return worker;
  }

  #giveBack(worker: Worker): void {
    const timer = setTimeout(() => void worker.terminate(), idleMs).unref();
    this.#idle.push({ worker, timer });
    worker.once('exit', () => {
      const place = this.#idle.findIndex((one) => one.worker === worker);
      if (place >= 0) this.#idle.splice(place, 1);
      this.#all.delete(worker);
    });
  }
}

/** Error of a report that is too large. */
const tooLarge = (what: string): SaeEvalError =>
  new SaeEvalError(
    'request-invalid',
    `evaluations: the report takes more ${what}; compare fewer evaluations, or render it with ` +
      '`sae-eval report`',
    { fields: [{ path: 'evaluations', message: `the report takes more ${what}` }] },
  );

async function work(
  worker: Worker,
  {
    count,
    read,
    settings,
    signal,
  }: {
    count: number;
    read: (index: number) => ResultText;
    settings: ReportSettings;
    signal: AbortSignal;
  },
): Promise<string> {
  const answer = new Promise<string>((resolve, reject) => {
    worker.on('message', (message: FromReportThread) => {
      if ('text' in message) resolve(message.text);
      else if ('error' in message) reject(SaeEvalError.fromJSON(message.error));
      else
        try {
          worker.postMessage(read(message.wants) satisfies ToReportThread);
        } catch (thrown) {
          reject(asSaeEvalError(thrown, 'The report'));
        }
    });
    worker.on('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? tooLarge(`than ${heapMebibytes} MiB of memory`)
          : error,
      ),
    );
    worker.on('exit', () => reject(new Error('The thread of reports ended.')));
  });
  let timer: NodeJS.Timeout | undefined;
  let giveUp: (() => void) | undefined;
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(tooLarge(`than ${longestRendering / 1000} s`)),
      longestRendering,
    );
    giveUp = () => reject(new SaeEvalError('cancelled', 'The caller has left.'));
    signal.addEventListener('abort', giveUp, { once: true });
  });
  try {
    worker.postMessage({ count, settings } satisfies ToReportThread);
    return await Promise.race([answer, end]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp!);
    worker.removeAllListeners('message');
    worker.removeAllListeners('error');
    worker.removeAllListeners('exit');
    // An error without a listener would end the server.
    worker.on('error', () => undefined);
    answer.catch(() => undefined);
  }
}
