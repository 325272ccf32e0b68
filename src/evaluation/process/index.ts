/**
 * Evaluations in a process of their own, and the inspection of untrusted files in another.
 * Native-free.
 */
export {
  ComputeProcess,
  ProcessDiedError,
  type ComputeProcessOptions,
  type ComputeRunOptions,
} from './host.js';
export {
  inspectCheckpoints,
  inspectModels,
  inspectRequest,
  type Inspected,
  type InspectOptions,
  type ModelFacts,
} from './inspect.js';
export type { PathTable } from './path-table.js';
export { systemMemory, type DeviceMemory } from './device-memory.js';
export type { Machine, ProcessUsage } from './protocol.js';
