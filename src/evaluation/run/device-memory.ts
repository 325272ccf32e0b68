/**
 * How much memory a device has, and how much of it is free. Native-free; what asks libtorch is
 * given by the compute process.
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

/** Memory of any device. `ofCuda` asks the driver; not every build of the binding can. */
export function deviceMemory(
  device: string,
  ofCuda: ((device: string) => DeviceMemory) | undefined,
): DeviceMemory | null {
  if (device === 'cpu') return systemMemory();
  try {
    return ofCuda?.(device) ?? null;
  } catch {
    return null;
  }
}
