/** Threads, devices, seeds and memory counts. */
import { cuda } from './cuda.js';
import { native } from './native.js';

/**
 * Sets the number of threads that one operator may use, from 1 to 1024, for the calling thread.
 * @throws TorchError `torch-argument`.
 */
export function setNumThreads(count: number): void {
  native().setNumThreads(count);
}

export function numThreads(): number {
  return native().numThreads();
}

/**
 * Seeds the generators of every device.
 * @throws TorchError `torch-argument` unless it is a whole number from 0 to 2⁶⁴ − 1.
 */
export function manualSeed(seed: number | bigint): void {
  native().manualSeed(seed);
}

/** Waits until the device has finished all queued work; returns at once for the CPU. */
export function synchronize(device: string): void {
  native().synchronize(device);
}

/** Devices of this machine by name: `cpu`, then `cuda:0`, …. */
export function devices(): string[] {
  return ['cpu', ...Array.from({ length: cuda.deviceCount() }, (_, i) => `cuda:${i}`)];
}

/** Returns freed CPU memory to the system; for long-lived processes between jobs. */
export function trimMemory(): void {
  native().trimMemory();
}

/**
 * Sets how many bytes of freed CPU memory the process keeps for later tensors of the same sizes; 0,
 * the default, keeps none. It spares page faults in a loop that makes the same temporaries again
 * and again. The kept memory never lets the process grow by more than 192 MiB beyond the most it
 * had in use at one time.
 */
export function setMemoryCache(bytes: number): void {
  native().setMemoryCache(bytes);
}

/** Version of libtorch, instruction set of its CPU kernels, and whether it is a CUDA build. */
export function versions(): { libtorch: string; cpu: string; cudaBuild: boolean } {
  return native().versions();
}

export interface MemoryCounts {
  /** Live tensor handles of this thread. */
  handles: number;
  /** Bytes of their storages, each counted once. */
  bytes: number;
  /** Bytes by device. */
  devices: Record<string, number>;
  /** Number of handles that only the garbage collector freed. */
  collected: number;
}

export function memory(): MemoryCounts {
  return native().memory();
}
