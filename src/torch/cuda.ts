/** CUDA devices. TF32, with 10 bits of mantissa instead of float32's 23, is off by default. */
import { TorchError } from './errors.js';
import { native } from './native.js';

export interface CudaMemory {
  /** Memory of the device: unused by any process, and in all. */
  freeBytes: number;
  totalBytes: number;
  /** Memory of this process's tensors, now and at most. */
  allocatedBytes: number;
  peakBytes: number;
  /** Memory that this process holds, used or kept for later tensors. */
  reservedBytes: number;
}

export interface CudaDescription {
  /** As the driver tells it, `NVIDIA H100 80GB HBM3` say. */
  name: string;
  totalBytes: number;
  /** Memory that no process uses; null if the management library (NVML) is not there. */
  freeBytes: number | null;
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
  /** @throws TorchError `device-unavailable`, as do all functions that take a device. */
  deviceName: (device: number | string = 0): string => native().cudaDeviceName(indexOf(device)),
  /**
   * Name and memory of a device, from its driver. Unlike {@link cuda.memory} this makes no context
   * on it, which would take some of its memory.
   */
  describe: (device: number | string = 0): CudaDescription =>
    native().cudaDescribe(indexOf(device)),
  memory: (device: number | string = 0): CudaMemory => native().cudaMemory(indexOf(device)),
  /** Sets `peakBytes` back to what is allocated now. */
  resetPeak: (device: number | string = 0): void => native().cudaResetPeak(indexOf(device)),
  /** Makes a device the one that `cuda` without a number means, for the calling thread. */
  setDevice: (device: number | string): void => native().cudaSetDevice(indexOf(device)),
  /** Returns memory that is kept for later tensors to the driver. */
  emptyCache: (): void => native().cudaEmptyCache(),
  /** Waits until the device has finished all queued work. */
  synchronize: (device: number | string = 0): void =>
    native().synchronize(`cuda:${indexOf(device)}`),
  /** Seeds one device's generator; `manualSeed` seeds all. */
  manualSeed: (seed: number | bigint, device: number | string = 0): void =>
    native().cudaManualSeed(seed, indexOf(device)),
  /** Sets TF32 for matrix products and convolutions, in the whole process. */
  setAllowTf32: (allowed: boolean): void => native().setAllowTf32(allowed),
  allowsTf32: (): boolean => native().isTf32Allowed(),
} as const;
