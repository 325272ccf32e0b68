/**
 * The simulated CUDA device. Loading it makes this process, or a child process, one with CUDA
 * devices; that must come before libtorch is first used.
 */
import { createRequire } from 'node:module';
import { buildSimulatedCuda } from './build.js';

/** Counts since the last reset. */
export interface Counts {
  /** Launches of kernels; views are none. */
  operators: number;
  copiesToDevice: number;
  bytesToDevice: number;
  copiesToHost: number;
  bytesToHost: number;
  copiesBetweenDevices: number;
  /** Waits of the host for a device. */
  waits: number;
  /** Copies to a device that the host converts to another dtype. */
  hostConversions: number;
  /** Tensors of the host with one number that operators of a device were given. */
  hostScalars: number;
  byOperator: Record<string, number>;
  waitsByReason: Record<string, number>;
  /** Calls by kernel: `flash`, `efficient`, `math`; and the number of different `shapes`. */
  attention: Record<string, number>;
  hostScalarsByOperator: Record<string, number>;
  /** Bytes by device: now, and at most. */
  used: number[];
  peak: number[];
}

interface Addon {
  counts(): string;
  reset(): void;
  limit(device: number, bytes: number): void;
  lose(device: number): void;
  touch(): void;
}

export interface SimulatedCuda {
  counts(): Counts;
  reset(): void;
  /** Sets the memory of a device in bytes. */
  limit(device: number, bytes: number): void;
  /** From now on every operator of the device fails as on a GPU whose context is lost. */
  lose(device: number): void;
  /** Lets the host touch memory of a device: this process ends. */
  touch(): void;
}

/** Loads the device into this process. */
export async function simulatedCuda(): Promise<SimulatedCuda> {
  const addon = createRequire(import.meta.url)(await buildSimulatedCuda()) as Addon;
  return { ...addon, counts: () => JSON.parse(addon.counts()) as Counts };
}

export interface SimulatedEnvironmentOptions {
  /** Number of devices; default 2. */
  devices?: number;
  /** Memory of each device; default 4 GiB. */
  bytes?: number;
  /** File whose existence means that all devices are lost; with `.1` behind it, device 1 alone. */
  lossFile?: string;
}

/** Environment of a Node process, and its children, with simulated devices. */
export async function simulatedEnvironment({
  devices,
  bytes,
  lossFile,
}: SimulatedEnvironmentOptions = {}): Promise<NodeJS.ProcessEnv> {
  const addon = await buildSimulatedCuda();
  return {
    ...process.env,
    SAE_EVAL_PASS_ENV: 'SIMULATED_CUDA_*',
    NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --require ${JSON.stringify(addon)}`,
    ...(devices === undefined ? {} : { SIMULATED_CUDA_DEVICES: String(devices) }),
    ...(bytes === undefined ? {} : { SIMULATED_CUDA_BYTES: String(bytes) }),
    ...(lossFile === undefined ? {} : { SIMULATED_CUDA_LOSS: lossFile }),
  };
}
