/** Renders reports in a worker thread, so that drawing charts does not delay other answers. */
import { Worker } from 'node:worker_threads';
import { SaeEvalError, type SerializedError } from '../src/errors.js';
import type { ReportFormat, ReportLanguage } from '../src/schema/record.js';
import type { EvaluationResult } from '../src/schema/result.js';

export interface ReportSettings {
  format: ReportFormat;
  lang: ReportLanguage;
  /** Whether the reader's browser may show another language first; default false. */
  languageOfReader?: boolean;
}

export interface ReportJob extends ReportSettings {
  call: number;
  results: readonly EvaluationResult[];
}
export type ReportAnswer =
  { call: number; text: string } | { call: number; error: SerializedError };

interface Pending {
  resolve(text: string): void;
  reject(error: SaeEvalError): void;
}

/** Milliseconds without work after which the thread ends and frees its memory. */
const idleMs = 60_000;

export class ReportRenderer {
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | undefined;
  #calls = 0;
  readonly #pending = new Map<number, Pending>();

  /** The report of one result, or the comparison of several. */
  async render(results: readonly EvaluationResult[], settings: ReportSettings): Promise<string> {
    const call = ++this.#calls;
    const worker = (this.#worker ??= this.#start());
    clearTimeout(this.#idle);
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#pending.set(call, { resolve, reject });
        worker.postMessage({ call, results, ...settings } satisfies ReportJob);
      });
    } finally {
      this.#pending.delete(call);
      if (this.#pending.size === 0)
        this.#idle = setTimeout(() => void this.close(), idleMs).unref();
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./report-worker.js', import.meta.url));
    worker.unref();
    worker.on('message', (answer: ReportAnswer) => {
      const pending = this.#pending.get(answer.call);
      if ('text' in answer) pending?.resolve(answer.text);
      else pending?.reject(SaeEvalError.fromJSON(answer.error));
    });
    let fault: unknown;
    worker.on('error', (error) => (fault = error));
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = null;
      const error = new SaeEvalError('internal', 'The report could not be rendered.', {
        cause: fault,
      });
      for (const { reject } of this.#pending.values()) reject(error);
    });
    return worker;
  }
}
