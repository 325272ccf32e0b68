#!/usr/bin/env node
/**
 * The command line. Commands are imported when they run, so that `--help` answers at once; a
 * compute process is started before its command is imported.
 */
import type { ChildProcess } from 'node:child_process';
import { Command, CommanderError, Option } from 'commander';
import { forkChild } from '../compute/fork-child.js';
import { packageVersion } from '../version.js';
import type { ConvertFlags } from './commands/convert.js';
import { exitCodeOf, printError } from './exit.js';

const program = new Command('sae-eval')
  .description(
    'Evaluates sparse autoencoders on language models: one pass, eight kinds, every number ' +
      'explained.',
  )
  .version(packageVersion)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'sae-eval: ')) });

/** Runs `body` with a compute process that is ended after it. */
async function withChild(body: (child: ChildProcess) => Promise<void>): Promise<void> {
  const child = forkChild();
  try {
    await body(child);
  } finally {
    child.kill('SIGKILL');
  }
}

const formats = ['md', 'html', 'json', 'csv'] as const;
const languages = ['en', 'zh'] as const;
const deviceOption = (): Option =>
  new Option('--device <device>', 'device to compute on: cpu, cuda or cuda:N');
const dtypeOption = (): Option =>
  new Option('--dtype <dtype>', 'dtype of the language model').choices([
    'float32',
    'bfloat16',
    'float16',
  ]);

program
  .command('demo')
  .description(
    'evaluate the eight kinds on the shipped model, checkpoints and text; write the report ' +
      'under runs/',
  )
  .option('--out <dir>', 'folder of the report', 'runs/demo')
  .addOption(deviceOption())
  .addOption(dtypeOption())
  .action(async (options: { out: string; device?: string; dtype?: string }) => {
    await withChild(async (child) =>
      (await import('./commands/demo.js')).demo({ ...options, child }),
    );
  });

program
  .command('evaluate')
  .description('run one evaluation without a server, or continue a killed one')
  .argument('<request>', 'JSON file with the request')
  .option('--out <dir>', 'folder for report.json, .md, .html and .csv')
  .addOption(deviceOption())
  .addOption(dtypeOption())
  .option('--explain', 'print the plan (passes, FLOPs per token) and stop')
  .option(
    '--allow-program',
    "let a model be a TorchScript program: its author's code then runs with your rights",
  )
  .action(
    async (
      request: string,
      options: {
        out?: string;
        device?: string;
        dtype?: string;
        explain?: boolean;
        allowProgram?: boolean;
      },
    ) => {
      const run = async (child?: ChildProcess): Promise<void> =>
        (await import('./commands/evaluate.js')).evaluateCommand(request, {
          ...options,
          ...(child === undefined ? {} : { child }),
        });
      await (options.explain === true ? run() : withChild(run));
    },
  );

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
  .option(
    '--api-keys <file>',
    'file of hashed API keys; without keys only this machine may connect',
  )
  .option('--base-path <path>', 'path under which a proxy passes requests on')
  .option(
    '--trust-proxy <address...>',
    'proxies whose X-Forwarded headers count: addresses, subnets, loopback, private',
  )
  .option('--config <file>', 'JSON file of settings (docs/reference/operations.md)')
  .action(async (options: ServeOptions) => (await import('./commands/serve.js')).serve(options));

program
  .command('inspect')
  .description('print the content of a checkpoint and the kinds it can be evaluated as')
  .argument('<checkpoint>', '.pt, .safetensors or .npz file, or folder of a published SAE')
  .option('--json', 'print JSON')
  .action(async (checkpoint: string, options: { json?: boolean }) =>
    (await import('./commands/inspect.js')).inspect(checkpoint, options),
  );

program
  .command('convert')
  .description('write an SAE in another format')
  .argument('<in>', 'checkpoint file or folder of a published SAE')
  .argument('<out>', 'folder (saelens) or .pt file (routesae) to create')
  .addOption(
    new Option('--to <format>', 'format to write')
      .choices(['saelens', 'routesae'])
      .makeOptionMandatory(),
  )
  .option('--kind <kind>', 'kind of the SAE, if the file could be several')
  .option('--layer <n>', 'layer of the SAE, if the file does not say')
  .option('--k <n>', 'number of active latents, if the file does not say')
  .option('--scale <number>', 'factor of the input, if the file does not say')
  .option('--theta <number>', 'threshold of a BatchTopK SAE whose file has none')
  .option('--centered', 'the SAE reads a residual stream without its mean (center_writing_weights)')
  .action(async (from: string, to: string, options: ConvertFlags) =>
    (await import('./commands/convert.js')).convert(from, to, options),
  );

program
  .command('report')
  .description('render stored results again, or compare several')
  .argument('<run...>', 'report.json files or the folders that hold them')
  .addOption(new Option('--format <format>', 'format of the report').choices(formats).default('md'))
  .addOption(
    new Option('--lang <language>', 'language of the report').choices(languages).default('en'),
  )
  .action(
    async (
      runs: string[],
      options: { format: (typeof formats)[number]; lang: (typeof languages)[number] },
    ) => (await import('./commands/report.js')).report(runs, options),
  );

program
  .command('keys')
  .description('manage API keys')
  .command('add')
  .description('print a new API key once and store its hash')
  .argument('<label>', 'name of the key, such as its owner')
  .option('--api-keys <file>', 'file of hashed API keys', 'api-keys.json')
  .action(async (label: string, options: { apiKeys: string }) =>
    (await import('./commands/keys.js')).addKeyCommand(label, options),
  );

program
  .command('setup')
  .description('find or fetch libtorch and build the native addon')
  .action(async () => (await import('./commands/setup.js')).setupCommand());

/** Flags of `serve`; omitted ones come from the environment or the defaults of the server. */
export interface ServeOptions {
  host?: string;
  port?: string;
  root?: string[];
  db?: string;
  modelCacheBytes?: string;
  apiKeys?: string;
  basePath?: string;
  trustProxy?: string[];
  config?: string;
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    printError(error);
    process.exitCode = exitCodeOf(error);
  }
}
