/** Which workers compute what. */
import type { ActiveRun } from './active-run.js';
import type { SeenWorker } from './worker-list.js';

/** Kind of a worker's device, such as `cuda`. */
export const familyOf = ({ device }: Pick<SeenWorker, 'device'>): string =>
  device.replace(/:\d+$/, '');

/** Whether a worker whose device is of the run's kind computes shards of it. */
export function mayCompute(worker: SeenWorker, run: ActiveRun): boolean {
  return run.kind === null || worker.any || worker.kind === run.kind;
}
