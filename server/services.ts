/** Services that the routes share; app.ts makes and ends them. */
import type { Machine } from '../src/compute/protocol.js';
import type { Catalogue } from './catalogue.js';
import type { FairGate } from './fair-gate.js';
import type { EventHub } from './jobs/events.js';
import type { JobQueue } from './jobs/queue.js';
import type { Store } from './jobs/store.js';
import type { Metrics } from './metrics.js';
import type { ResolvedServerOptions } from './options.js';
import type { ResultReaders } from './result-readers.js';
import type { Roots } from './roots.js';
import type { RunComparer } from './run-comparer.js';
import type { Coordinator } from './shards/coordinator.js';

export interface Services {
  options: ResolvedServerOptions;
  roots: Roots;
  catalogue: Catalogue;
  inspections: FairGate;
  store: Store;
  queue: JobQueue;
  hub: EventHub;
  metrics: Metrics;
  /** Renders reports. */
  reports: ResultReaders;
  /** Reads results and tables of latents, beside reports, which may take minutes. */
  reads: ResultReaders;
  comparer: RunComparer;
  machine: MachineState;
  /** Gives evaluations to the workers of a queue; null without one. */
  coordinator: Coordinator | null;
}

/** Devices of this machine, known after a compute process has described them. */
export interface MachineState {
  current: Machine | null;
  /** Why no compute process has answered; null if nothing went wrong. */
  problem: string | null;
}
