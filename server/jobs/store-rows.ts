/** Rows of the store, and summaries of evaluations read from them. A damaged row is an error. */
import {
  evaluationStatuses,
  hasEnded,
  type EvaluationStatus,
  type EvaluationSummary,
  type Progress,
  type RecordError,
} from '../../src/schema/record.js';
import type { ResolvedRequest } from '../../src/schema/request.js';
import { damagedRecord, outcomeChecksum, submissionChecksum } from './checksums.js';

export interface Row {
  seq: number;
  id: string;
  status: EvaluationStatus;
  device: string;
  submitted_by: string | null;
  client: string;
  request: string;
  paths: string;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  attempts: number;
  progress: string | null;
  error: string | null;
  body_hash: string | null;
  checksum: string | null;
  outcome_checksum: string | null;
  result_hash: string | null;
  rerun_of: string | null;
}

export const columns =
  'seq, id, status, device, submitted_by, client, request, paths, created_at, started_at, ' +
  'ended_at, attempts, progress, error, body_hash, checksum, outcome_checksum, result_hash, ' +
  'rerun_of';

/** @throws SaeEvalError `storage-damaged` if the row is not what was stored. */
export function checked<R extends Row>(row: R): R {
  // Rows of earlier versions have no checksum.
  const { checksum, outcome_checksum: outcome, status } = row;
  if (
    !evaluationStatuses.includes(status) ||
    // A column whose name is another now.
    row.submitted_by === undefined ||
    (checksum !== null && checksum !== submissionChecksum(row)) ||
    (outcome === null ? checksum !== null && hasEnded(status) : outcome !== outcomeChecksum(row))
  )
    throw damagedRecord(row.id);
  return row;
}

/** Value of a text; damaged if it is no JSON. */
export function parsed<T>(row: Row, text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw damagedRecord(row.id);
  }
}

/**
 * @param shared whether evaluations are shared whose requests do not say.
 * @throws SaeEvalError `storage-damaged`.
 */
export function summaryOf(row: Row, { shared }: { shared: boolean }): EvaluationSummary {
  const request = parsed<ResolvedRequest>(checked(row), row.request);
  return {
    id: row.id,
    status: row.status,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    request,
    device: row.device,
    submittedBy: row.submitted_by,
    shared: request.shared ?? shared,
    stopped: row.status === 'cancelled' && row.result_hash !== null,
    rerunOf: row.rerun_of,
    position: null,
    waitingFor: null,
    attempts: row.attempts,
    progress: row.progress === null ? null : parsed<Progress>(row, row.progress),
    error: row.error === null ? null : parsed<RecordError>(row, row.error),
  };
}
