/**
 * The tree of commands. Commands are imported when they run, so that `--help` answers at once; a
 * compute process is started before its command is imported.
 */
import type { ChildProcess } from 'node:child_process';
import { Command, InvalidArgumentError, Option } from 'commander';
import { forkChild } from '../compute/fork-child.js';
import { latentSorts } from '../schema/latent-sorts.js';
import { packageVersion } from '../version.js';
import type { CompareFlags } from './commands/compare.js';
import type { ConvertFlags } from './commands/convert.js';
import type { DictionariesFlags } from './commands/dictionaries.js';
import type { EvaluateFlags } from './commands/evaluate.js';
import type { LatentsFlags } from './commands/latents.js';
import type { KeyFlags } from './commands/keys.js';
import type { WorkerFlags } from './commands/worker.js';
import type { MergeFlags } from './commands/merge.js';
import type { ReportFlags } from './commands/report.js';
import type { ShardFlags } from './commands/shard.js';
import { addDb } from './db-commands.js';
import type { SubmitFlags } from './commands/submit.js';
import { shells, type Shell } from './completion.js';
import { tellErrors } from './error-line.js';
import {
  allowProgramOption,
  deviceOption,
  dtypeOption,
  formats,
  langOption,
  outOption,
  overwriteOption,
  planOptions,
  requestOptions,
  resultOptions,
  changeOptions,
  takeWeights,
  type RequestFlags,
} from './options.js';
import { withRequest } from './request-arguments.js';
import { addServe } from './serve-options.js';

/** @throws InvalidArgumentError unless it is a whole number. */
function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

/** Runs `body` with a compute process that is ended after it. */
async function withChild(body: (child: ChildProcess) => Promise<void>): Promise<void> {
  const child = forkChild();
  try {
    await body(child);
  } finally {
    child.kill('SIGKILL');
  }
}

function addEvaluate(program: Command): void {
  const command = program
    .command('evaluate')
    .description('run one evaluation without a server, or continue a killed one')
    .argument('[request]', 'JSON or YAML file with the request; - reads standard input')
    .addOption(outOption())
    .addOption(overwriteOption());
  for (const option of requestOptions()) command.addOption(option);
  command
    .addOption(deviceOption())
    .addOption(dtypeOption())
    .addOption(langOption())
    .option('--keep-partial', 'on Ctrl-C, report on the samples done instead of ending without')
    .option('--explain', 'print the plan (passes, FLOPs per token) and stop')
    .addOption(allowProgramOption())
    .option(
      '--devices <list>',
      'devices that share the run: all, or names separated by commas (instead of --device)',
    );
  for (const option of planOptions()) command.addOption(option);
  takeWeights(command);
  command.action(
    async (
      request: string | undefined,
      options: Omit<EvaluateFlags, 'child'> & RequestFlags & { explain?: boolean },
    ) => {
      const arguments_ = withRequest(request, options);
      const run = async (child?: ChildProcess): Promise<void> =>
        (await import('./commands/evaluate.js')).evaluateCommand(arguments_, {
          ...options,
          ...(child === undefined ? {} : { child }),
        });
      await (options.explain === true ? run() : withChild(run));
    },
  );
}

function addShards(program: Command): void {
  const command = program
    .command('shard')
    .description('compute this process’s shards of a run that many processes share')
    .argument('<request>', 'JSON or YAML file with the request; - reads standard input')
    .argument('[i/n]', 'process i of n, from 0 (default: what the scheduler’s variables say)')
    .requiredOption('--out <dir>', 'folder of the run, which all its processes share');
  for (const option of changeOptions()) command.addOption(option);
  command.addOption(deviceOption()).addOption(dtypeOption()).addOption(allowProgramOption());
  for (const option of planOptions()) command.addOption(option);
  takeWeights(command);
  command
    .addOption(
      new Option('--machine <kinds>', 'whether kinds of machines may be mixed')
        .choices(['same', 'any'])
        .default('same'),
    )
    .action(
      async (
        request: string,
        index: string | undefined,
        { set, name, ...options }: Omit<ShardFlags, 'child'> & RequestFlags,
      ) =>
        withChild(async (child) =>
          (await import('./commands/shard.js')).shardCommand(
            withRequest(request, {
              ...(set === undefined ? {} : { set }),
              ...(name === undefined ? {} : { name }),
            }),
            index,
            { ...options, child },
          ),
        ),
    );
  const merge = program
    .command('merge')
    .description('write the report of a run from its shards; needs no model and no device')
    .argument('<folder>', 'folder of the run')
    .option('--allow-missing', 'report on the shards that are there');
  for (const option of resultOptions()) merge.addOption(option);
  merge
    .addOption(langOption())
    .action(async (folder: string, options: MergeFlags) =>
      (await import('./commands/merge.js')).mergeCommand(folder, options),
    );
  program
    .command('status')
    .description('print which shards of a run are done, begun and missing')
    .argument('<folder>', 'folder of the run')
    .option('--json', 'print JSON')
    .action(async (folder: string, options: { json?: boolean }) =>
      (await import('./commands/status.js')).status(folder, options),
    );
  program
    .command('cancel')
    .description('stop all processes that compute shards of a run')
    .argument('<folder>', 'folder of the run')
    .action(async (folder: string) => (await import('./commands/status.js')).cancel(folder));
}

function addWorker(program: Command): void {
  program
    .command('worker')
    .description('compute shards of a server’s queue on the devices of this machine')
    .option(
      '--queue <url>',
      'redis://, rediss:// or postgres:// (default, and better for passwords: SAE_EVAL_QUEUE)',
    )
    .option(
      '--root <dir...>',
      'folders below which runs and their files may lie (default: the current folder)',
    )
    .addOption(deviceOption())
    .option('--devices <list>', 'devices that compute: all, or names separated by commas')
    .option('--model-cache-bytes <bytes>', 'bytes of models and SAEs to keep loaded')
    .addOption(
      new Option('--machine <kinds>', 'whether runs of other kinds of machines are computed')
        .choices(['same', 'any'])
        .default('same'),
    )
    .action(async (options: WorkerFlags) =>
      (await import('./commands/worker.js')).workerCommand(options),
    );
}

function addSubmit(program: Command): void {
  const command = program
    .command('submit')
    .description('submit an evaluation to a server (API key: SAE_EVAL_API_KEY)')
    .argument('[request]', 'JSON or YAML file with the request; - reads standard input')
    .requiredOption('--server <url>', 'address of the server, such as http://localhost:8787')
    .option('--wait', 'wait for its end and print the result');
  for (const option of requestOptions()) command.addOption(option);
  command
    .addOption(langOption())
    .action(async (request: string | undefined, options: SubmitFlags & RequestFlags) =>
      (await import('./commands/submit.js')).submit(withRequest(request, options), options),
    );
}

function addFiles(program: Command): void {
  program
    .command('inspect')
    .description('print the content of checkpoints and the kinds they can be evaluated as')
    .argument(
      '<checkpoint...>',
      '.pt, .safetensors or .npz file, folder of a published SAE, or folder of such files',
    )
    .option('--json', 'print JSON')
    .action(async (checkpoints: string[], options: { json?: boolean }) =>
      (await import('./commands/inspect.js')).inspect(checkpoints, options),
    );
  program
    .command('saes')
    .description('list the SAEs below a folder: format, hook, sizes, k, published L0')
    .argument(
      '<folder>',
      'folder to look through, or org/name[@revision][:path] in the local cache',
    )
    .option('--json', 'print JSON')
    .action(async (folder: string, options: { json?: boolean }) =>
      (await import('./commands/saes.js')).saes(folder, options),
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
    .option(
      '--centered',
      'the SAE reads a residual stream without its mean (center_writing_weights)',
    )
    .action(async (from: string, to: string, options: ConvertFlags) =>
      (await import('./commands/convert.js')).convert(from, to, options),
    );
  program
    .command('report')
    .description('render stored results again, or compare several')
    .argument('<run...>', 'report.json files or the folders that hold them')
    .addOption(
      new Option('--format <format>', 'format of the report').choices(formats).default('md'),
    )
    .addOption(langOption())
    .option('--out <file>', 'file to write instead of standard output')
    .action(async (runs: string[], options: ReportFlags) =>
      (await import('./commands/report.js')).report(runs, options),
    );
  program
    .command('compare')
    .description('compare runs on the same text in pairs, from their sums')
    .argument('<base>', 'folder of the run that others are compared with, or its sums.safetensors')
    .argument('<run...>', 'folders of the others')
    .option('--metrics <names...>', 'metrics of strict, separated by commas (default: all)')
    .option(
      '--fail-if <gate...>',
      "exit 3 if it holds: 'KLDivPerToken worse', 'TopK.NormMSE worse by 2%'",
    )
    .option('--json', 'print JSON')
    .addOption(langOption())
    .action(async (base: string, runs: string[], options: CompareFlags) =>
      (await import('./commands/compare.js')).compare(base, runs, options),
    );
  program
    .command('dictionaries')
    .description('compare the decoders of SAEs: PW-MCC and MMCS of each pair')
    .argument('<checkpoint...>', 'files or folders of SAEs on one place of one model')
    .option('--kind <kind>', 'kind of those whose files do not say it')
    .option('--absolute', 'count the size of a cosine, not its sign')
    .option('--exact-up-to <n>', 'most pairs for an exact matching (default: 16777216)')
    .option('--candidates <n>', 'nearest latents among which an auction matches (default: 32)')
    .addOption(deviceOption())
    .option('--json', 'print JSON')
    .addOption(langOption())
    .action(async (checkpoints: string[], options: DictionariesFlags) =>
      (await import('./commands/dictionaries.js')).dictionaries(checkpoints, options),
    );
  program
    .command('latents')
    .description('show the latents of a run one by one, sorted, or print them as CSV')
    .argument('<run>', 'folder of a run whose request has `latents`, or its latents.parquet')
    .option('--sae <label>', 'SAE whose latents are shown (default: the first; CSV: all)')
    .addOption(
      new Option('--sort <column>', 'column to sort by (default: latent)').choices(latentSorts),
    )
    .addOption(
      new Option('--order <order>', 'direction (default: desc, by latent asc)').choices([
        'asc',
        'desc',
      ]),
    )
    .option('--limit <n>', 'number of rows (default: 20; CSV: all)', wholeNumber)
    .option('--latent <number>', 'one latent', wholeNumber)
    .option('--contexts', 'CSV: a row for each context instead of each latent')
    .addOption(
      new Option('--format <format>', 'table, csv or json')
        .choices(['table', 'csv', 'json'])
        .default('table'),
    )
    .action(async (run: string, options: LatentsFlags) =>
      (await import('./commands/latents.js')).latents(run, options),
    );
  program
    .command('list')
    .description('list the runs whose reports lie below a folder, newest first')
    .argument('[folder]', 'folder to look through', 'runs')
    .option('--json', 'print JSON')
    .action(async (folder: string, options: { json?: boolean }) =>
      (await import('./commands/list.js')).list(folder, options),
    );
}

function addUpkeep(program: Command): void {
  program
    .command('keys')
    .description('manage API keys')
    .command('add')
    .description('print a new API key once and store its hash')
    .argument('<label>', 'name of the key, such as its owner')
    .option('--api-keys <file>', 'file of hashed API keys', 'api-keys.json')
    .addOption(
      new Option('--role <role>', 'what the key may do')
        .choices(['admin', 'submit', 'read'])
        .default('submit'),
    )
    .option('--days <n>', 'days after which the key is refused (default: never)')
    .action(async (label: string, options: KeyFlags) =>
      (await import('./commands/keys.js')).addKeyCommand(label, options),
    );
  program
    .command('setup')
    .description('find or fetch libtorch and build the native addon')
    .option('--without-server', 'leave SQLite out, which the server keeps its store in')
    .action(async ({ withoutServer = false }: { withoutServer?: boolean }) =>
      (await import('./commands/setup.js')).setupCommand({ server: !withoutServer }),
    );
  program
    .command('completion')
    .description('print a script that completes the commands in a shell')
    .addArgument(program.createArgument('<shell>', 'shell of the script').choices(shells))
    .action(async (shell: Shell) =>
      (await import('./commands/completion.js')).completion(program, shell),
    );
}

/** The commands of `sae-eval`. */
export function createProgram(): Command {
  const program = new Command('sae-eval')
    .description(
      'Evaluates sparse autoencoders on language models: one pass, eight kinds, every number ' +
        'explained.',
    )
    .version(packageVersion)
    .exitOverride();
  program
    .command('demo')
    .description(
      'evaluate the eight kinds on the shipped model, checkpoints and text; write the report ' +
        'under runs/',
    )
    .option('--out <dir>', 'folder of the report', 'runs/demo')
    .option('--from <dir>', "folder of the demo's files, if not the package sae-eval-demo's")
    .addOption(overwriteOption())
    .addOption(deviceOption())
    .addOption(dtypeOption())
    .addOption(langOption())
    .action(async (options: Omit<EvaluateFlags, 'child'> & { out: string; from?: string }) => {
      await withChild(async (child) =>
        (await import('./commands/demo.js')).demo({ ...options, child }),
      );
    });
  addEvaluate(program);
  addShards(program);
  addSubmit(program);
  addServe(program);
  addWorker(program);
  addFiles(program);
  addUpkeep(program);
  addDb(program);
  tellErrors(program);
  return program;
}
