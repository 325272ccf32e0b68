/** What routes share: made by app.ts, ended with it. */
import type { Machine } from '../src/compute/protocol.js';
import type { Catalogue } from './catalogue.js';
import type { InspectionGate } from './inspection-gate.js';
import type { EventHub } from './jobs/events.js';
import type { JobQueue } from './jobs/queue.js';
import type { Store } from './jobs/store.js';
import type { Metrics } from './metrics.js';
import type { ResolvedServerOptions } from './options.js';
import type { ReportRenderer } from './report-renderer.js';
import type { Roots } from './roots.js';

export interface Services {
  options: ResolvedServerOptions;
  roots: Roots;
  catalogue: Catalogue;
  inspections: InspectionGate;
  store: Store;
  queue: JobQueue;
  hub: EventHub;
  metrics: Metrics;
  reports: ReportRenderer;
  machine: MachineState;
}

/** The devices, once a compute process has told them. */
export interface MachineState {
  current: Machine | null;
  /** Why there are none yet. */
  problem: string | null;
}
