/** The only place that loads the addon. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { SaeEvalError } from '../errors.js';
import { addonPath } from '../setup/paths.js';
import { TorchError } from './errors.js';
import type { Tensor } from './tensor.js';

export interface NativeMappedFile {
  readonly byteLength: number;
  tensor(options: { byteOffset: number; byteLength?: number; dtype: string; shape: readonly number[]; strides?: readonly number[] }): Tensor;
  close(): void;
}

export interface Native {
  Tensor: { prototype: object };
  Generator: { prototype: object };
  refusedCalls(): { operator: string; reason: string }[];
  MappedFile: new (path: string) => NativeMappedFile;
  operator(name: string): (...args: unknown[]) => unknown;
  operatorSchemas(): string[];
  setInferenceMode(enabled: boolean): void;
  setGradEnabled(enabled: boolean): boolean;
  setNumThreads(count: number): void;
  numThreads(): number;
  manualSeed(seed: number): void;
  cudaDeviceCount(): number;
  synchronize(device: string): void;
  trimMemory(): void;
  setMemoryCache(bytes: number): void;
  versions(): { libtorch: string; cpu: string; cudaBuild: boolean };
  memory(): { handles: number; bytes: number; collected: number };
  fromBuffer(data: ArrayBufferView, dtype: string, shape: readonly number[], share: boolean): Tensor;
  openScope(): void;
  closeScope(keep: readonly Tensor[]): void;
  keep(tensor: Tensor): Tensor;
  isTensor(value: unknown): boolean;
  setErrorClass(errorClass: typeof TorchError): void;
}

/**
 * Large temporaries come from the system page by page unless huge pages are asked for: on blocks of a billion-parameter
 * model a twelfth of the time. libtorch reads this with its first allocation.
 */
function askForHugePages(): void {
  process.env['THP_MEM_ALLOC_ENABLE'] ??= '1';
}

/**
 * Threads that wait for each other spin by default, for so long that two processes on the same cores run several times
 * slower than one after the other. libgomp reads this when it is loaded, so it is set just before.
 */
function letThreadsSleep(): void {
  if (process.env['OMP_WAIT_POLICY'] === undefined) process.env['GOMP_SPINCOUNT'] ??= '2000';
}

function load(): Native {
  letThreadsSleep();
  askForHugePages();
  const path = addonPath();
  if (!existsSync(path)) {
    throw new SaeEvalError('setup-missing', `The native addon is not built (${path} does not exist): run \`npx sae-eval setup\`.`);
  }
  try {
    const addon = createRequire(import.meta.url)(path) as Native;
    addon.setErrorClass(TorchError);
    return addon;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SaeEvalError('setup-missing', `The native addon ${path} cannot be loaded (${reason}): run \`npx sae-eval setup\` to build it again.`, { cause: error });
  }
}

export const native: Native = load();
