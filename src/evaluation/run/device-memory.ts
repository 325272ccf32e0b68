/**
 * How much memory a device has, and how much of it is free. This file loads no libtorch: the
 * compute process passes a function that asks it.
 */
import { freemem, totalmem } from 'node:os';

export interface DeviceMemory {
  totalBytes: number;
  freeBytes: number;
}

/**
 * The memory that this machine's processes may take: less than what is built in, in a container
 * with a limit.
 */
export function systemMemory(): DeviceMemory {
  const limit = process.constrainedMemory();
  const totalBytes = limit > 0 && limit < totalmem() ? limit : totalmem();
  const freeBytes =
    typeof process.availableMemory === 'function' ? process.availableMemory() : freemem();
  return { totalBytes, freeBytes: Math.min(freeBytes, totalBytes) };
}

/** Memory of a CUDA device as the binding tells it. */
export interface CudaCounts extends DeviceMemory {
  allocatedBytes: number;
  reservedBytes: number;
}

/**
 * Memory of any device. What this process keeps for its next tensors counts as free. `ofCuda` asks
 * the driver; not every build of the binding can.
 */
export function deviceMemory(
  device: string,
  ofCuda: ((device: string) => CudaCounts) | undefined,
): DeviceMemory | null {
  if (device === 'cpu') return systemMemory();
  try {
    const found = ofCuda?.(device);
    if (found === undefined) return null;
    const { freeBytes, totalBytes, allocatedBytes, reservedBytes } = found;
    return { totalBytes, freeBytes: freeBytes + reservedBytes - allocatedBytes };
  } catch {
    return null;
  }
}
