/** A device's worker and the queue: what one asks of the other. */
import type { ComputeProcess } from '../../src/compute/host.js';
import type { SaeEvalError, SerializedError } from '../../src/errors.js';
import type { EvaluationStatus, Progress } from '../../src/schema/record.js';
import type { EvaluationResult, SaeResult } from '../../src/schema/result.js';
import type { Sharing } from './sharing.js';
import type { Job } from './stored-jobs.js';

/** The end of an evaluation. */
export interface Ending {
  status: EvaluationStatus;
  result?: EvaluationResult;
  error?: SerializedError;
}

/** Source of a worker's evaluations, and receiver of its news. */
export interface WorkerHost {
  /** The next evaluation that the device may take; no other worker gets it before it ends. */
  take(device: string): Job | null;
  /** Whether an evaluation waits that the device may take. */
  hasWaiting(device: string): boolean;
  started(job: Job): void;
  pid(id: string, pid: number | null): void;
  progress(id: string, progress: Progress): void;
  results(id: string, results: SaeResult[]): void;
  requeued(id: string): void;
  ended(id: string, ending: Ending): void;
  log(message: string, details: object): void;
  /** A fault that nobody expects. */
  fault(message: string, details: object): void;
}

export interface WorkerOptions {
  device: string;
  journalOf(id: string): string;
  /** File for the sums of an evaluation. */
  sumsOf(id: string): string;
  /** Seconds an evaluation may compute; 0: no limit. */
  jobTimeout: number;
  /** Compute process of the device, running or not; the worker ends it. */
  compute: ComputeProcess;
  /** Evaluations that several devices share; default: each has one device. */
  sharing?: Sharing;
}

export interface CancelOptions {
  /** Whether a running evaluation keeps what it did; default false. */
  keep?: boolean;
  /** Reason that its record gives; default: it was cancelled. */
  because?: SaeEvalError;
}
