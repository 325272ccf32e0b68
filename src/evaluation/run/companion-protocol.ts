/** Messages between the thread of a run and its companions. */
import type { ResolvedRequest } from '../../schema/index.js';
import type { OfferedMicroBatch } from '../engine/companions.js';
import type { MicroBatchSums } from '../engine/micro-batch-sums.js';
import type { MicroBatch } from '../engine/micro-batch.js';
import type { PathTable } from '../request/path-table.js';
import type { Decisions } from './journal.js';

/** Model and SAEs that a companion loads. */
export interface CompanionTask {
  request: ResolvedRequest;
  paths: PathTable;
  decisions: Decisions;
  turnedSkips: readonly number[];
  /** Indices of the SAEs to load; default all. */
  only?: readonly number[] | undefined;
}

export type ToCompanion =
  | {
      type: 'offer';
      id: number;
      /** Number of micro-batches that were taken, in memory that the threads share. */
      next: SharedArrayBuffer;
      microBatches: readonly OfferedMicroBatch[];
      microBatch: MicroBatch;
    }
  | { type: 'close' };

export type FromCompanion =
  | { type: 'ready' }
  | { type: 'sums'; id: number; place: number; sums: MicroBatchSums }
  /** Nothing of the offer is left to take. */
  | { type: 'ended'; id: number };
