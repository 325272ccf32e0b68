/** The command `serve` and its flags. */
import type { Command } from 'commander';
import { weightsOption } from './options.js';

/** Flags of `serve`; omitted ones come from the environment or the defaults of the server. */
export interface ServeOptions {
  host?: string;
  port?: string;
  root?: string[];
  db?: string;
  modelCacheBytes?: string;
  weights?: 'auto' | 'map' | 'read';
  apiKeys?: string;
  shared?: boolean;
  keepDays?: string;
  keepEvaluations?: string;
  basePath?: string;
  trustProxy?: string[];
  cors?: string[];
  queue?: string;
  runs?: string;
  localWorkers?: string;
  shardSamples?: string;
  saesPerShard?: string;
  config?: string;
}

/** Adds `serve` to the commands. */
export function addServe(program: Command): void {
  program
    .command('serve')
    .description('run the HTTP server')
    .option('--host <host>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <port>', 'port to listen on (default: 8787)')
    .option(
      '--root <dir...>',
      'folders below which requests may name files (default: the current folder)',
    )
    .option('--db <file>', 'SQLite file of the evaluations (default: sae-eval.db)')
    .option(
      '--model-cache-bytes <bytes>',
      'bytes of models and SAEs to keep loaded (default: a quarter of the memory)',
    )
    .addOption(weightsOption())
    .option(
      '--api-keys <file>',
      'file of hashed API keys; without keys only this machine may connect',
    )
    .option('--shared', 'every API key may read evaluations whose requests do not say')
    .option('--keep-days <n>', 'days that evaluations are kept after their end (default: for ever)')
    .option('--keep-evaluations <n>', 'ended evaluations that are kept, the newest (default: all)')
    .option('--base-path <path>', 'path under which a proxy passes requests on')
    .option(
      '--trust-proxy <address...>',
      'proxies whose X-Forwarded headers count: addresses, subnets, loopback, private',
    )
    .option(
      '--cors <origin...>',
      'origins whose pages may call the server, such as https://app.example',
    )
    .option(
      '--queue <url>',
      'queue whose workers compute: redis://, rediss:// or postgres:// (better: SAE_EVAL_QUEUE)',
    )
    .option('--runs <dir>', 'folder of runs in shards, shared with the workers (default: DB.runs)')
    .option(
      '--local-workers <n>',
      'devices of this machine that compute: all, or how many (default: all; with a queue none)',
    )
    .option('--shard-samples <n>', 'samples of a shard, about')
    .option('--saes-per-shard <n>', 'SAEs of a shard (default: all)')
    .option('--config <file>', 'JSON file of settings (docs/reference/operations.md)')
    .action(async (options: ServeOptions) => (await import('./commands/serve.js')).serve(options));
}
