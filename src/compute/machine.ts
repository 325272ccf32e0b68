/** Devices of this machine. Loads libtorch: for the compute process only. */
import { cpus } from 'node:os';
import { deviceMemory, type DeviceMemory } from '../evaluation/run/device-memory.js';
import { cuda, devices, versions } from '../torch/index.js';
import type { Machine } from './protocol.js';

/** A function that returns total and free memory of a device, or null if they are unknown. */
export function memoryReader(device: string): () => DeviceMemory | null {
  const { memory } = cuda;
  return () => deviceMemory(device, memory);
}

/** @throws SaeEvalError `setup-missing`. */
export function describeMachine(): Machine {
  const { libtorch, cpu, cudaBuild } = versions();
  return {
    devices: devices().map((name) => {
      const { totalBytes = null, freeBytes = null } = memoryReader(name)() ?? {};
      return {
        name,
        description: name === 'cpu' ? (cpus()[0]?.model ?? 'CPU') : 'CUDA device',
        totalBytes,
        freeBytes,
      };
    }),
    versions: {
      libtorch,
      cpuKernels: cpu,
      cuda: cudaBuild ? 'yes' : 'no',
      node: process.versions.node,
    },
  };
}
