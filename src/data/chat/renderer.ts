/**
 * Renders conversations in a worker thread: a chat template is a program of its author, and one
 * that runs for ever or fills the memory ends the worker, never this process.
 */
import { Worker } from 'node:worker_threads';
import { entryUrl } from '../../entry.js';
import { SaeEvalError } from '../../errors.js';
import type { Message } from './conversation.js';
import type { Rendered, RenderOptions } from './render.js';

export type FromRenderWorker = { rendered: Rendered[] } | { error: string };

/** Limit on the worker's heap, in MiB. */
const heapMebibytes = 512;
/** Time limit for the conversations of one call, in ms. */
const patience = 60_000;

export interface RendererOptions extends RenderOptions {
  /** File of the template, as errors call it. */
  file: string;
  patienceMs?: number;
}

export class ConversationRenderer {
  readonly #worker: Worker;
  readonly #file: string;
  readonly #patienceMs: number;

  constructor({ file, patienceMs = patience, ...options }: RendererOptions) {
    this.#file = file;
    this.#patienceMs = patienceMs;
    this.#worker = new Worker(entryUrl('src/data/chat/render-worker.js'), {
      execArgv: [],
      workerData: options,
      resourceLimits: { maxOldGenerationSizeMb: heapMebibytes, stackSizeMb: 2 },
    });
    this.#worker.unref();
    // A worker that dies while nobody waits is told of by the next call.
    this.#worker.on('error', () => {});
  }

  /**
   * The texts of conversations.
   * @throws SaeEvalError `tokenizer-invalid` if the template is no Jinja, or takes too much.
   */
  async render(conversations: readonly Message[][]): Promise<Rendered[]> {
    const answer = await this.#answer(conversations);
    if ('rendered' in answer) return answer.rendered;
    throw new SaeEvalError('tokenizer-invalid', `${this.#file}: chat template: ${answer.error}.`);
  }

  #answer(conversations: readonly Message[][]): Promise<FromRenderWorker> {
    const worker = this.#worker;
    return new Promise((resolve) => {
      const settle = (outcome: FromRenderWorker): void => {
        clearTimeout(timer);
        worker.off('message', settle).off('error', onError).off('exit', onExit);
        resolve(outcome);
      };
      const onExit = (): void => settle({ error: 'rendering ended early' });
      const onError = (error: NodeJS.ErrnoException): void =>
        settle({
          error:
            error.code === 'ERR_WORKER_OUT_OF_MEMORY'
              ? `it takes more than ${heapMebibytes} MiB of memory`
              : error.message,
        });
      const timer = setTimeout(
        () => settle({ error: `it takes longer than ${this.#patienceMs / 1000} s` }),
        this.#patienceMs,
      );
      worker.on('message', settle).once('error', onError).once('exit', onExit);
      worker.postMessage(conversations);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
