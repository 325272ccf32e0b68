/** Describes the devices of this machine. Loads libtorch: for the compute process only. */
import { cpus, freemem, totalmem } from 'node:os';
import type { Machine } from './protocol.js';

export async function describeMachine(): Promise<Machine> {
  const { devices, versions } = await import('../../torch/index.js');
  const { libtorch, cpu, cudaBuild } = versions();
  return {
    devices: devices().map((name) =>
      name === 'cpu'
        ? { name, description: cpus()[0]?.model ?? 'CPU', totalBytes: totalmem(), freeBytes: freemem() }
        : { name, description: 'CUDA device', totalBytes: null, freeBytes: null },
    ),
    versions: { libtorch, cpuKernels: cpu, cuda: cudaBuild ? 'yes' : 'no', node: process.versions.node },
  };
}
