/** Options that several commands share. */
import { Option, type Command } from 'commander';

export const formats = ['md', 'html', 'json', 'csv', 'saebench'] as const;
export const languages = ['en', 'zh'] as const;

export const deviceOption = (): Option =>
  new Option('--device <device>', 'device to compute on: cpu, cuda or cuda:N');

export const dtypeOption = (): Option =>
  new Option('--dtype <dtype>', 'dtype of the language model').choices([
    'float32',
    'bfloat16',
    'float16',
  ]);

export const weightsOption = (): Option =>
  new Option(
    '--weights <how>',
    'how weights come into memory: auto, map or read (default: SAE_EVAL_WEIGHTS, else auto: ' +
      'files of a network file system are read, others are mapped)',
  ).choices(['auto', 'map', 'read']);

export const weightDevicesOption = (): Option =>
  new Option(
    '--weight-devices <list>',
    'other GPUs that may hold blocks of a model which does not fit: all, or names (default: ' +
      'SAE_EVAL_WEIGHT_DEVICES, else none)',
  );

/** Adds the options to a command that computes: its processes inherit the variables. */
export function takeWeights(command: Command): void {
  command
    .addOption(weightsOption())
    .addOption(weightDevicesOption())
    .hook('preAction', () => {
      const { weights, weightDevices } = command.opts<{
        weights?: string;
        weightDevices?: string;
      }>();
      if (weights !== undefined) process.env['SAE_EVAL_WEIGHTS'] = weights;
      if (weightDevices !== undefined) process.env['SAE_EVAL_WEIGHT_DEVICES'] = weightDevices;
    });
}

export const langOption = (): Option =>
  new Option(
    '--lang <language>',
    'language of what is printed (default: that of the locale)',
  ).choices(languages);

export const outOption = (): Option =>
  new Option('--out <dir>', 'folder for report.json, .md, .html and .csv');

export const overwriteOption = (): Option =>
  new Option('--overwrite', 'replace the report or the journal of another run in --out');

/** Options of a command that plans a run in shards. */
export const planOptions = (): Option[] => [
  new Option('--shard-samples <n>', 'samples of a shard, about (default: 1024, or fewer)'),
  new Option('--saes-per-shard <n>', 'SAEs that a shard computes (default: all)'),
];

export const allowProgramOption = (): Option =>
  new Option(
    '--allow-program',
    "let a model be a TorchScript program: its author's code then runs with your rights",
  );

/** Options that change a request. */
export const changeOptions = (): Option[] => [
  new Option(
    '--set <path=value...>',
    'set a field of the request: --set saes.0.k=32 (JSON, else text; null removes it)',
  ),
  new Option('--name <name>', 'name of the run'),
];

/** Options of a command that shows a result. */
export const resultOptions = (): Option[] => [
  new Option('--json', 'print the result as JSON, and nothing else, on standard output'),
  new Option(
    '--fail-if <expression...>',
    "exit with 3 if it holds: --fail-if 'TopK.strict.KLDivPerToken > 0.2'",
  ),
];

/** Options of a command that takes a request and shows its result. */
export const requestOptions = (): Option[] => [...changeOptions(), ...resultOptions()];

/** Flags of a command that takes a request. */
export interface RequestFlags {
  set?: string[];
  name?: string;
  json?: boolean;
  failIf?: string[];
}
