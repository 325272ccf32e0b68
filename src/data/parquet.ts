/**
 * Records of a parquet file, one column of one row group at a time. A worker decodes them: a file
 * that lies about its sizes ends the worker at its memory limit or the time limit, never this
 * process.
 */
import { Worker } from 'node:worker_threads';
import { SaeEvalError } from '../errors.js';

export type FromParquetWorker =
  { values: unknown[]; bytes: number } | { done: true } | { error: string };

/** Heap of the worker, in MiB. */
const heapMegabytes = 1024;

export interface ParquetOptions {
  onBytes?: (count: number) => void;
  /** For the next values: one row group is decoded at once. */
  patienceMs?: number;
}

/** An answer of the worker, or why there is none. */
function answer(worker: Worker, patienceMs: number): Promise<FromParquetWorker> {
  return new Promise((resolve) => {
    const timer = setTimeout(
      () => settle({ error: `it takes longer than ${patienceMs / 1000} s to decode a row group` }),
      patienceMs,
    );
    const onMessage = (message: FromParquetWorker): void => settle(message);
    const onError = (error: NodeJS.ErrnoException): void =>
      settle({
        error:
          error.code === 'ERR_WORKER_OUT_OF_MEMORY'
            ? `a row group takes more than ${heapMegabytes} MiB of memory`
            : error.message,
      });
    const onExit = (): void => settle({ error: 'decoding ended early' });
    const settle = (outcome: FromParquetWorker): void => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      resolve(outcome);
    };
    worker.once('message', onMessage).once('error', onError).once('exit', onExit);
  });
}

/**
 * The values of one column, top to bottom; nested ones as objects and lists, missing ones null. No
 * more row groups are decoded than the caller asks for.
 * @throws SaeEvalError `dataset-invalid` for what is no parquet file, has no such column or
 *   cannot be decoded.
 */
export async function* readParquetColumn(
  path: string,
  column: string,
  { onBytes, patienceMs = 120_000 }: ParquetOptions = {},
): AsyncGenerator<unknown, void, undefined> {
  const worker = new Worker(new URL('./parquet-worker.js', import.meta.url), {
    execArgv: [],
    workerData: { path, column },
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  try {
    for (;;) {
      worker.postMessage('next');
      const message = await answer(worker, patienceMs);
      if ('done' in message) return;
      if ('error' in message)
        throw new SaeEvalError('dataset-invalid', `${path}: ${message.error}.`);
      onBytes?.(message.bytes);
      yield* message.values;
    }
  } finally {
    await worker.terminate();
  }
}
