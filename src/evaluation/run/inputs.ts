/** Opens the inputs of a run: the checked request, its device, and its files as they are now. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { located } from '../../hub-cache.js';
import { withoutAnnotations } from '../../schema/index.js';
import type { EvaluationRequest, ResolvedRequest } from '../../schema/index.js';
import { cuda, devices, versions } from '../../torch/index.js';
import { packageVersion } from '../../version.js';
import type { PathTable, ResolvePath } from '../request/path-table.js';
import { validateRequest, type ValidatedRequest } from '../request/resolve.js';
import { freeOnDevice, nameOfDevice } from './cuda-device.js';
import { resolveDevice } from './device.js';
import { InputFiles } from './input-files.js';
import type { RunIdentity } from './journal.js';
import type { Loans, WeightCache } from './weight-cache.js';

export interface CheckOptions {
  resolvePath?: ResolvePath;
  /** Whether the model may be a TorchScript program, which is code of its author; default false. */
  allowProgram?: boolean;
  /** Called with each path of the request before anything of it is read. */
  see?: (path: string) => void;
}

/** A checked request, and its files as they are now. */
export interface CheckedInputs {
  validated: ValidatedRequest;
  files: InputFiles;
  resolvePath: ResolvePath;
  allowProgram: boolean;
}

/**
 * Checks a request and looks at its files. Needs no libtorch.
 * @throws SaeEvalError for what is wrong with the request or its files.
 */
export async function checkInputs(
  input: EvaluationRequest | ResolvedRequest,
  { resolvePath = located, allowProgram = false, see }: CheckOptions = {},
): Promise<CheckedInputs> {
  const files = new InputFiles();
  const validated = await validateRequest(input, {
    allowProgram,
    resolvePath: (name, thing) => {
      const path = resolvePath(name, thing);
      see?.(path);
      files.see(path, name);
      return path;
    },
  });
  await files.take(validated);
  return { validated, files, resolvePath, allowProgram };
}

export interface InputOptions extends Omit<CheckOptions, 'see'> {
  /** Device to compute on, one of those that the request allows; default: chosen by the request. */
  device?: string | undefined;
  /** Keeps models and SAEs for later runs. */
  cache: WeightCache;
  /** The table of `resolvePath`, for other threads of the run; default: they are not used. */
  paths?: PathTable | undefined;
}

/** Inputs of a run. What is borrowed through `loans` is given back by whoever opened them. */
export interface RunInputs extends CheckedInputs {
  request: ResolvedRequest & { device: string };
  deviceName: string;
  loans: Loans;
  cache: WeightCache;
  /** The table from which other threads find the same files; undefined if they cannot. */
  paths: PathTable | undefined;
}

/**
 * Checks a request, looks at its files and takes its device.
 * @throws SaeEvalError for what is wrong with the request, its files or the device.
 */
export async function openInputs(
  input: EvaluationRequest | ResolvedRequest,
  { device: wanted, cache, paths, ...options }: InputOptions,
): Promise<RunInputs> {
  const loans = cache.open();
  const checked = await checkInputs(input, { ...options, see: (path) => loans.see(path) });
  const { request } = checked.validated;
  const device = resolveDevice(wanted ?? request.device, devices(), freeOnDevice);
  if (device !== 'cpu') {
    // Libraries that ask for "the" device must mean this one.
    cuda.setDevice(device);
    cuda.resetPeak(device);
  }
  return {
    ...checked,
    request: { ...request, device },
    deviceName: nameOfDevice(device),
    loans,
    cache,
    paths: options.resolvePath === undefined ? null : paths,
  };
}

/** The SAEs of a request, without what depends on where their files lie. */
export function describedSaes({ saes }: ValidatedRequest): unknown {
  return saes.map(({ description: { checkpoint: _, ...description }, ...place }) => ({
    ...place,
    description,
  }));
}

/** Versions, processor and GPU, which decide the last bits of a run. */
export interface MachineKind {
  /** `cpu`, or the name of the GPU: two GPUs of a kind give the same bits. */
  device: string;
  /** Version of this package. */
  version: string;
  versions: Readonly<Record<string, string | boolean>>;
  processor: string;
  /** Instruction sets of the processor by which libraries choose their kernels. */
  instructions: string;
}

/** Instruction sets that numerical libraries look for. */
const decisive = /^(avx|fma|amx|sse4|f16c|bf16|asimd|sve|neon|i8mm)/;

/** Variables of the environment by which numerical libraries choose other kernels. */
const choosing = [
  'MKL_ENABLE_INSTRUCTIONS',
  'MKL_CBWR',
  'MKL_DEBUG_CPU_TYPE',
  'ONEDNN_MAX_CPU_ISA',
  'DNNL_MAX_CPU_ISA',
];

function instructionSets(): string {
  const chosen = choosing.flatMap((name) => {
    const value = process.env[name];
    return value === undefined || value === '' ? [] : [`${name}=${value}`];
  });
  return [processorFlags(), ...chosen].join(' ').trim();
}

function processorFlags(): string {
  try {
    const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1];
    return (flags ?? '')
      .split(' ')
      .filter((flag) => decisive.test(flag))
      .sort()
      .join(' ');
  } catch {
    return '';
  }
}

/** The kind of machine that inputs are computed on. */
export function machineKind({ request, deviceName }: RunInputs): MachineKind {
  return kindOfMachine(request.device, deviceName);
}

/** The kind of this machine with one of its devices. */
export function kindOfMachine(device: string, deviceName = nameOfDevice(device)): MachineKind {
  return {
    device: device === 'cpu' ? 'cpu' : deviceName,
    version: packageVersion,
    versions: versions(),
    processor: cpus()[0]?.model ?? '',
    instructions: instructionSets(),
  };
}

/** Identity of a run, apart from the content of its files. */
export function runIdentity(inputs: RunInputs): RunIdentity {
  const { validated, allowProgram } = inputs;
  return {
    request: {
      request: withoutAnnotations(validated.request),
      described: describedSaes(validated),
      allowProgram,
    },
    machine: machineKind(inputs),
  };
}
