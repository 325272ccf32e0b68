/** Threads, devices, seeds and counters. */
import { cuda } from './cuda.js';
import { native } from './native.js';

/**
 * Threads that one operator may use, from 1 to 1024; a setting of the calling thread.
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

/** Waits until the device has done what was queued; returns at once for the CPU. */
export function synchronize(device: string): void {
  native().synchronize(device);
}

/** Devices of this machine by name: `cpu`, then `cuda:0`, …. */
export function devices(): string[] {
  return ['cpu', ...Array.from({ length: cuda.deviceCount() }, (_, i) => `cuda:${i}`)];
}

/** Gives freed CPU memory back to the system; for long-lived processes between jobs. */
export function trimMemory(): void {
  native().trimMemory();
}

/**
 * Keeps up to that many bytes of freed CPU memory for the next tensors of the same sizes, for the
 * whole process: a loop that makes the same temporaries again and again spares their page faults.
 * Fewer are kept where the process would become much larger by them (192 MB) than what it had in
 * use at one time. 0, the default, keeps none.
 */
export function setMemoryCache(bytes: number): void {
  native().setMemoryCache(bytes);
}

/** Of libtorch, its CPU kernels' level, and whether it is a CUDA build. */
export function versions(): { libtorch: string; cpu: string; cudaBuild: boolean } {
  return native().versions();
}

export interface MemoryCounts {
  /** Live tensor handles of this thread. */
  handles: number;
  /** What their own storages take; views count once. */
  bytes: number;
  /** The same by device. */
  devices: Record<string, number>;
  /** Handles that only the garbage collector freed. */
  collected: number;
}

export function memory(): MemoryCounts {
  return native().memory();
}
