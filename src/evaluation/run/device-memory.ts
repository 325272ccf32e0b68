/**
 * How much memory a device has, and how much of it is free. This file loads no libtorch: the
 * compute process passes a function that asks it.
 */
import { systemMemory, type MemoryCounts } from '../../system-memory.js';

export { systemMemory };
export type DeviceMemory = MemoryCounts;

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
