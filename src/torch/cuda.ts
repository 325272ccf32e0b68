/** CUDA devices. TF32, ten bits of mantissa instead of float32's 23, is off unless asked for. */
import { TorchError } from './errors.js';
import { native } from './native.js';

export interface CudaMemory {
  /** Of the device: what no process uses, and all it has. */
  freeBytes: number;
  totalBytes: number;
  /** Of this process's tensors, and the most there have been. */
  allocatedBytes: number;
  peakBytes: number;
  /** What this process holds, used or kept for the next tensors. */
  reservedBytes: number;
}

/** `cuda:1` and 1 are the same device, `cuda` is the first. */
function indexOf(device: number | string): number {
  if (typeof device === 'number') return device;
  const [, index = '0'] = /^cuda(?::(\d+))?$/.exec(device) ?? [];
  if (!device.startsWith('cuda'))
    throw new TorchError(
      'torch-argument',
      `cuda: expected a device such as 'cuda:0' or its number, found '${device}'.`,
    );
  return Number(index);
}

export const cuda = {
  /** Whether libtorch is a CUDA build and there is a device. */
  isAvailable: (): boolean => native().cudaDeviceCount() > 0,
  deviceCount: (): number => native().cudaDeviceCount(),
  /** @throws TorchError `device-unavailable`, as all that take a device. */
  deviceName: (device: number | string = 0): string => native().cudaDeviceName(indexOf(device)),
  memory: (device: number | string = 0): CudaMemory => native().cudaMemory(indexOf(device)),
  /** Gives back to the driver what is kept for the next tensors. */
  emptyCache: (): void => native().cudaEmptyCache(),
  /** Waits until the device has done what was queued. */
  synchronize: (device: number | string = 0): void =>
    native().synchronize(`cuda:${indexOf(device)}`),
  /** Seeds one device's generator; `manualSeed` seeds all. */
  manualSeed: (seed: number | bigint, device: number | string = 0): void =>
    native().cudaManualSeed(seed, indexOf(device)),
  /** For matrix products and convolutions, in the whole process. */
  setAllowTf32: (allowed: boolean): void => native().setAllowTf32(allowed),
  allowsTf32: (): boolean => native().isTf32Allowed(),
} as const;
