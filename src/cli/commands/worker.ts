/** `sae-eval worker`: computes shards of a server's queue on the devices of this machine. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { Roots } from '../../../server/roots.js';
import { runWorker } from '../../../server/shards/worker-process.js';
import { SaeEvalError } from '../../errors.js';
import { say } from '../say.js';

export interface WorkerFlags {
  queue?: string;
  root?: string[];
  device?: string;
  /** `all`, or names separated by commas. */
  devices?: string;
  /** `any`: runs of other kinds of machines too. */
  machine?: 'same' | 'any';
  modelCacheBytes?: string;
}

/** Seconds without a sign after which a worker's shard goes to another. */
function lockSeconds(): { lockSeconds?: number } {
  const text = process.env['SAE_EVAL_WORKER_LOCK'];
  if (text === undefined || text === '') return {};
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds >= 1 && seconds <= 3600) return { lockSeconds: seconds };
  throw new SaeEvalError(
    'configuration-invalid',
    `SAE_EVAL_WORKER_LOCK: expected seconds from 1 to 3600, found ${text}.`,
  );
}

function bytesOf(text: string | undefined): { cacheBytes?: number } {
  if (text === undefined) return {};
  const bytes = Number(text);
  if (Number.isSafeInteger(bytes) && bytes >= 0) return { cacheBytes: bytes };
  throw new SaeEvalError(
    'request-invalid',
    `--model-cache-bytes: expected a whole number, found ${text}`,
  );
}

function rootsOf(folders: readonly string[]): Roots {
  return new Roots(
    folders.map((folder) => {
      try {
        return realpathSync(resolve(folder));
      } catch (cause) {
        throw new SaeEvalError(
          'configuration-invalid',
          `The root folder ${folder} does not exist; give an existing folder with --root.`,
          { cause },
        );
      }
    }),
  );
}

export async function workerCommand({
  queue = process.env['SAE_EVAL_QUEUE'],
  root = ['.'],
  device,
  devices,
  machine,
  modelCacheBytes,
}: WorkerFlags): Promise<void> {
  if (queue === undefined || queue === '')
    throw new SaeEvalError(
      'request-invalid',
      '--queue: expected the address of the queue, such as redis://host:6379, or SAE_EVAL_QUEUE',
    );
  if (device !== undefined && devices !== undefined)
    throw new SaeEvalError('request-invalid', '--device and --devices: give one or the other');
  const named = devices === undefined ? device : devices;
  process.exitCode = await runWorker({
    queue,
    roots: rootsOf(root),
    ...(named === undefined
      ? {}
      : { devices: named === 'all' ? 'all' : named.split(',').map((name) => name.trim()) }),
    anyMachine: machine === 'any',
    ...lockSeconds(),
    ...bytesOf(modelCacheBytes),
    log: say,
  });
}
