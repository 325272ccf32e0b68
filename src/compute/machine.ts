/** Describes the devices of this machine. Loads libtorch: for the compute process only. */
import { cpus } from 'node:os';
import { deviceMemory, type DeviceMemory } from '../evaluation/run/device-memory.js';
import type { Machine } from './protocol.js';

/** A function that tells free and total memory of a device, if the binding can ask for it. */
export async function memoryReader(device: string): Promise<() => DeviceMemory | null> {
  const { cuda } = await import('../torch/index.js');
  const { memory } = cuda;
  return () => deviceMemory(device, memory);
}

export async function describeMachine(): Promise<Machine> {
  const { devices, versions } = await import('../torch/index.js');
  const { libtorch, cpu, cudaBuild } = versions();
  const described = devices().map(async (name) => {
    const { totalBytes = null, freeBytes = null } = (await memoryReader(name))() ?? {};
    return {
      name,
      description: name === 'cpu' ? (cpus()[0]?.model ?? 'CPU') : 'CUDA device',
      totalBytes,
      freeBytes,
    };
  });
  return {
    devices: await Promise.all(described),
    versions: {
      libtorch,
      cpuKernels: cpu,
      cuda: cudaBuild ? 'yes' : 'no',
      node: process.versions.node,
    },
  };
}
