/** Devices of this machine. Loads libtorch: for the compute process only. */
import { cpus } from 'node:os';
import { deviceMemory, systemMemory, type DeviceMemory } from '../evaluation/run/device-memory.js';
import { kindOfMachine } from '../evaluation/run/inputs.js';
import { cuda, devices, versions } from '../torch/index.js';
import type { Machine } from './protocol.js';

/**
 * A function that returns total and free memory of a device, or null if they are unknown. It makes
 * a context on a CUDA device: for the device that this process computes on.
 */
export function memoryReader(device: string): () => DeviceMemory | null {
  const { memory } = cuda;
  return () => deviceMemory(device, memory);
}

/** A device that a request can name. Makes no context on it, which would take its memory. */
function describeDevice(name: string): Machine['devices'][number] {
  if (name === 'cpu') return { name, description: cpus()[0]?.model ?? 'CPU', ...systemMemory() };
  try {
    const { name: description, totalBytes, freeBytes } = cuda.describe(name);
    return { name, description, totalBytes, freeBytes };
  } catch {
    return { name, description: 'CUDA device', totalBytes: null, freeBytes: null };
  }
}

/** @throws SaeEvalError `setup-missing`. */
export function describeMachine(): Machine {
  const { libtorch, cpu, cudaBuild } = versions();
  const names = devices();
  return {
    devices: names.map(describeDevice),
    kinds: Object.fromEntries(names.map((name) => [name, kindOfMachine(name)])),
    versions: {
      libtorch,
      cpuKernels: cpu,
      cuda: cudaBuild ? 'yes' : 'no',
      node: process.versions.node,
    },
  };
}
