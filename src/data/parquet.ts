/**
 * Reads one column of a parquet file, one row group at a time. A worker thread decodes it: a file
 * with false sizes ends the worker at the memory or time limit, never this process.
 */
import { Worker } from 'node:worker_threads';
import { entryUrl } from '../entry.js';
import { SaeEvalError, type SerializedError } from '../errors.js';
import { confinedTo, type Within } from '../files/index.js';

/** Message of the worker: values of the column, the end, or the reason why there is none. */
export type FromParquetWorker =
  | { values: unknown[]; bytes: number }
  | { done: true }
  | { error: string; fault?: SerializedError };

/** Work of a worker. */
export interface ParquetTask {
  path: string;
  column: string;
  /** Folders that it may read. */
  within: Within;
}

/** Limit on the worker's heap, in MiB. */
const heapMebibytes = 1024;

export interface ParquetOptions {
  /** Called with the number of bytes read. */
  onBytes?: (count: number) => void;
  /** Time limit for the next values, in ms. A whole row group is decoded for them. */
  patienceMs?: number;
}

/** Next message of the worker, or an error if it dies or takes too long. */
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
            ? `a row group takes more than ${heapMebibytes} MiB of memory`
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
 * Rows of a parquet file from top to bottom, as objects with the one column, or without it if the
 * value is missing. Nested values are objects and lists. Only the row groups that the caller
 * reaches are decoded.
 * @throws SaeEvalError `dataset-invalid` if the file is not parquet, has no such column or cannot
 *   be decoded.
 */
export async function* readParquetColumn(
  path: string,
  column: string,
  { onBytes, patienceMs = 120_000 }: ParquetOptions = {},
): AsyncGenerator<unknown, void, undefined> {
  const worker = new Worker(entryUrl('src/data/parquet-worker.js'), {
    execArgv: [],
    workerData: { path, column, within: confinedTo() } satisfies ParquetTask,
    resourceLimits: { maxOldGenerationSizeMb: heapMebibytes },
  });
  try {
    for (;;) {
      worker.postMessage('next');
      const message = await answer(worker, patienceMs);
      if ('done' in message) return;
      if ('fault' in message && message.fault !== undefined)
        throw SaeEvalError.fromJSON(message.fault);
      if ('error' in message)
        throw new SaeEvalError('dataset-invalid', `${path}: ${message.error}.`);
      onBytes?.(message.bytes);
      yield* message.values;
    }
  } finally {
    await worker.terminate();
  }
}
