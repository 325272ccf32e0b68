/** `sae-eval serve`: the HTTP server. */
import { startServer } from '../../../server/main.js';
import { SaeEvalError } from '../../errors.js';
import type { ServeOptions } from '../serve-options.js';
import { makeStoreReady } from '../store-ready.js';

function wholeNumber(flag: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() !== '' && Number.isInteger(number) && number >= 0 && number <= most)
    return number;
  throw new SaeEvalError(
    'request-invalid',
    `${flag}: expected a whole number from 0 to ${most}, found ${text}`,
  );
}

export async function serve({
  host,
  port,
  root,
  db,
  modelCacheBytes,
  weights,
  apiKeys,
  shared,
  keepDays,
  keepEvaluations,
  basePath,
  trustProxy,
  cors,
  queue,
  runs,
  localWorkers,
  shardSamples,
  saesPerShard,
  config,
}: ServeOptions): Promise<void> {
  const number = wholeNumber('--port', port, 65_535);
  const cacheBytes = wholeNumber('--model-cache-bytes', modelCacheBytes, Number.MAX_SAFE_INTEGER);
  const local =
    localWorkers === 'all'
      ? localWorkers
      : wholeNumber('--local-workers', localWorkers, Number.MAX_SAFE_INTEGER);
  const evaluations = wholeNumber('--keep-evaluations', keepEvaluations, Number.MAX_SAFE_INTEGER);
  const samples = wholeNumber('--shard-samples', shardSamples, Number.MAX_SAFE_INTEGER);
  const saes = wholeNumber('--saes-per-shard', saesPerShard, Number.MAX_SAFE_INTEGER);
  await makeStoreReady();
  const { url } = await startServer(
    {
      ...(host === undefined ? {} : { host }),
      ...(number === undefined ? {} : { port: number }),
      ...(db === undefined ? {} : { db }),
      ...(root === undefined ? {} : { roots: root }),
      ...(cacheBytes === undefined ? {} : { modelCacheBytes: cacheBytes }),
      ...(weights === undefined ? {} : { weights }),
      ...(apiKeys === undefined ? {} : { apiKeys }),
      ...(shared === undefined ? {} : { shared }),
      ...(keepDays === undefined ? {} : { keepDays: Number(keepDays) }),
      ...(evaluations === undefined ? {} : { keepEvaluations: evaluations }),
      ...(basePath === undefined ? {} : { basePath }),
      ...(trustProxy === undefined ? {} : { trustProxy }),
      ...(cors === undefined ? {} : { cors }),
      ...(queue === undefined ? {} : { queue }),
      ...(runs === undefined ? {} : { runs }),
      ...(local === undefined ? {} : { localWorkers: local }),
      ...(samples === undefined ? {} : { shardSamples: samples }),
      ...(saes === undefined ? {} : { saesPerShard: saes }),
    },
    config === undefined ? {} : { config },
  );
  process.stderr.write(`sae-eval listens on ${url}\n`);
}
