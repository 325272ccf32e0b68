/** The addon and the types of what it exports. It is loaded at its first use, here alone. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { SaeEvalError } from '../errors.js';
import { addonPath } from './setup/paths.js';
import { TorchError } from './errors.js';
import { tuneLibraries } from './tuning.js';
import type { Tensor } from './tensor.js';

export interface NativeMappedFile {
  readonly byteLength: number;
  tensor(options: {
    byteOffset: number;
    byteLength?: number;
    dtype: string;
    shape: readonly number[];
    strides?: readonly number[];
  }): Tensor;
  close(): void;
}

export interface NativeOperator {
  (...args: unknown[]): unknown;
  async(...args: unknown[]): Promise<unknown>;
}

export interface NativeScriptModule {
  methods(): string[];
  schema(method: string): string;
  run(method: string, ...args: unknown[]): unknown;
  runAsync(method: string, ...args: unknown[]): Promise<unknown>;
  parameters(): [name: string, tensor: Tensor][];
  buffers(): [name: string, tensor: Tensor][];
  to(device: string | undefined, dtype: string | undefined, nonBlocking: boolean): void;
  train(on: boolean): void;
  dispose(): void;
  disposed(): boolean;
}

export interface Native {
  Tensor: { prototype: object };
  Generator: { new (device?: string): object; prototype: object };
  refusedCalls(): { operator: string; reason: string }[];
  MappedFile: new (path: string, read: boolean) => NativeMappedFile;
  operator(name: string): NativeOperator;
  /** The operator as a method of its first argument. */
  method(name: string): (this: Tensor, ...args: unknown[]) => unknown;
  operatorSchemas(): string[];
  ScriptModule: new (path: string, device?: string) => NativeScriptModule;
  /** Sets the mode and returns the previous one; so does setGradEnabled. */
  setInferenceMode(enabled: boolean): boolean;
  setGradEnabled(enabled: boolean): boolean;
  isGradEnabled(): boolean;
  backward(
    outputs: readonly Tensor[],
    gradients: readonly (Tensor | null)[],
    inputs: readonly Tensor[],
    retainGraph: boolean,
    createGraph: boolean,
  ): void;
  grad(
    outputs: readonly Tensor[],
    inputs: readonly Tensor[],
    gradients: readonly (Tensor | null)[],
    retainGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
  ): (Tensor | null)[];
  setNumThreads(count: number): void;
  numThreads(): number;
  manualSeed(seed: number | bigint): void;
  cudaDeviceCount(): number;
  cudaDeviceName(index: number): string;
  cudaMemory(index: number): {
    freeBytes: number;
    totalBytes: number;
    allocatedBytes: number;
    peakBytes: number;
    reservedBytes: number;
  };
  cudaDescribe(index: number): { name: string; totalBytes: number; freeBytes: number | null };
  cudaSetDevice(index: number): void;
  cudaResetPeak(index: number): void;
  cudaEmptyCache(): void;
  cudaManualSeed(seed: number | bigint, index: number): void;
  setAllowTf32(allowed: boolean): void;
  isTf32Allowed(): boolean;
  synchronize(device: string): void;
  trimMemory(): void;
  setMemoryCache(bytes: number): void;
  versions(): { libtorch: string; cpu: string; cudaBuild: boolean };
  memory(): { handles: number; bytes: number; devices: Record<string, number>; collected: number };
  fromBuffer(
    data: ArrayBufferView,
    dtype: string,
    shape: readonly number[],
    share: boolean,
  ): Tensor;
  openScope(): void;
  /** Null keeps all. */
  closeScope(keep: readonly Tensor[] | null): void;
  openAsyncScope(): number;
  closeAsyncScope(number: number, keep: readonly Tensor[]): void;
  setCurrentAsyncScope(current: () => number): void;
  keep(tensor: Tensor): Tensor;
  isTensor(value: unknown): boolean;
  setErrorClass(errorClass: typeof TorchError): void;
  setWarningListener(listener: (text: string) => void): void;
}

let loaded: Native | null = null;
const listeners: ((addon: Native) => void)[] = [];

/**
 * The addon, loaded by the first call.
 * @throws SaeEvalError `setup-missing` if it is not built or cannot be loaded.
 */
export function native(): Native {
  return (loaded ??= load());
}

/** Whether the addon is loaded: before that there are no tensors. */
export function isLoaded(): boolean {
  return loaded !== null;
}

/** Calls `listener` once: when the addon is loaded, or now if it is. */
export function onLoad(listener: (addon: Native) => void): void {
  if (loaded === null) listeners.push(listener);
  else listener(loaded);
}

/** Makes the addon create its objects with the prototype of a class that is declared here. */
export function adopt(ofAddon: { prototype: object }, ours: { prototype: object }): void {
  const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(ofAddon.prototype);
  Object.defineProperties(ours.prototype, members);
  ofAddon.prototype = ours.prototype;
}

function load(): Native {
  tuneLibraries();
  const path = addonPath();
  if (!existsSync(path)) {
    throw new SaeEvalError(
      'setup-missing',
      `The native addon is not built (${path} does not exist): run \`npx sae-eval setup\`.`,
    );
  }
  try {
    const addon = createRequire(import.meta.url)(path) as Native;
    addon.setErrorClass(TorchError);
    addon.setWarningListener((text) => process.emitWarning(text, 'TorchWarning'));
    for (const listener of listeners) listener(addon);
    return addon;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SaeEvalError(
      'setup-missing',
      `The native addon ${path} cannot be loaded (${reason}): run \`npx sae-eval setup\` ` +
        'to build it again.',
      { cause: error },
    );
  }
}
