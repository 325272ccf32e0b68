/** Stored evaluations as work: what waits, for whom, and what became of it. */
import type { SerializedError } from '../../src/errors.js';
import type { PathTable } from '../../src/evaluation/request/path-table.js';
import type { EvaluationStatus, Progress } from '../../src/schema/record.js';
import type { ResolvedRequest } from '../../src/schema/request.js';
import type { EvaluationResult } from '../../src/schema/result.js';
import { outcomeChecksum, resultHash } from './checksums.js';
import type { Listing } from './listing.js';
import type { ProcessIdentity } from './process-identity.js';
import type { StoreFile } from './store-file.js';
import { checked, columns, parsed, type Row } from './store-rows.js';

/** A waiting evaluation, for a worker. */
export interface Job {
  id: string;
  client: string;
  createdAt: string;
  request: ResolvedRequest;
  paths: NonNullable<PathTable>;
  /** Trace of the submitting request. */
  trace: Record<string, string>;
}

const now = (): string => new Date().toISOString();

export class StoredJobs {
  readonly #file: StoreFile;
  readonly #listing: Listing;

  constructor({ file, listing }: { file: StoreFile; listing: Listing }) {
    this.#file = file;
    this.#listing = listing;
  }

  /** Waiting evaluations that ask for one of these devices or kinds, oldest first. */
  queued(asked: readonly string[]): { id: string; client: string }[] {
    return this.#file.all(
      "SELECT id, client FROM evaluations WHERE status = 'queued' AND device IN " +
        '(SELECT value FROM json_each(?)) ORDER BY seq',
      JSON.stringify(asked),
    );
  }

  /** Number of waiting evaluations by the device or kind that they ask for. */
  countQueuedByDevice(): Map<string, number> {
    return new Map(
      this.#file
        .all<{ device: string; n: number }>(
          "SELECT device, count(*) AS n FROM evaluations WHERE status = 'queued' GROUP BY device",
        )
        .map(({ device, n }) => [device, n]),
    );
  }

  job(id: string): Job | null {
    const row = this.#file.get<Row & { trace: string }>(
      `SELECT ${columns}, trace FROM evaluations WHERE id = ?`,
      id,
    );
    if (row === undefined) return null;
    const { client, created_at: createdAt, request, paths, trace } = checked(row);
    return {
      id,
      client,
      createdAt,
      request: parsed<ResolvedRequest>(row, request),
      paths: parsed<NonNullable<PathTable>>(row, paths),
      trace: parsed<Record<string, string>>(row, trace),
    };
  }

  /** Clients with the time of their last start of an evaluation, in the order of these times. */
  lastStarts(): { client: string; at: string }[] {
    return this.#file.all(
      'SELECT client, max(started_at) AS at FROM evaluations WHERE started_at IS NOT NULL ' +
        'GROUP BY client ORDER BY at',
    );
  }

  countByStatus(): Map<EvaluationStatus, number> {
    return new Map(
      this.#file
        .all<{ status: EvaluationStatus; n: number }>(
          'SELECT status, count(*) AS n FROM evaluations GROUP BY status',
        )
        .map(({ status, n }) => [status, n]),
    );
  }

  countQueued(client?: string): number {
    return this.#file.get<{ n: number }>(
      "SELECT count(*) AS n FROM evaluations WHERE status = 'queued' AND (@client IS NULL " +
        'OR client = @client)',
      { client: client ?? null },
    )!.n;
  }

  /**
   * Evaluations that an abruptly ended server left running, with the identities of their compute
   * processes as JSON.
   */
  leftRunning(): { id: string; process: string | null }[] {
    return this.#file.all(
      "SELECT id, process FROM evaluations WHERE status = 'running' ORDER BY seq",
    );
  }

  start(id: string): void {
    this.#file.change(
      "UPDATE evaluations SET status = 'running', " +
        // The clock may have been set back since.
        'started_at = coalesce(started_at, max(?, created_at)), attempts = attempts + 1 ' +
        'WHERE id = ?',
      now(),
      id,
    );
  }

  /** Stores the identity of the compute process. */
  setProcess(id: string, identity: ProcessIdentity | null): void {
    this.#file.run(
      'UPDATE evaluations SET pid = ?, process = ? WHERE id = ?',
      identity?.pid ?? null,
      identity === null ? null : JSON.stringify(identity),
      id,
    );
  }

  setProgress(id: string, progress: Progress): void {
    this.#file.run(
      'UPDATE evaluations SET progress = ? WHERE id = ?',
      JSON.stringify(progress),
      id,
    );
  }

  /** Puts a running evaluation back into the queue, at its old place. */
  requeue(id: string): void {
    this.#file.change(
      "UPDATE evaluations SET status = 'queued', pid = NULL, process = NULL WHERE id = ? AND " +
        "status = 'running'",
      id,
    );
  }

  finish(
    id: string,
    status: EvaluationStatus,
    {
      result = null,
      error = null,
    }: { result?: EvaluationResult | null; error?: SerializedError | null },
  ): void {
    const text = result === null ? null : JSON.stringify(result);
    const found = this.#file.get<
      Pick<Row, 'seq' | 'created_at' | 'started_at' | 'attempts' | 'progress'>
    >('SELECT seq, created_at, started_at, attempts, progress FROM evaluations WHERE id = ?', id);
    if (found === undefined) return;
    const row = {
      ...found,
      id,
      status,
      // The clock may have been set back since the start.
      ended_at: [now(), found.started_at ?? '', found.created_at].sort().at(-1)!,
      error: error === null ? null : JSON.stringify(error),
      result_hash: resultHash(text),
    };
    this.#file.transaction(() => {
      this.#file.run(
        'UPDATE evaluations SET status = ?, ended_at = ?, result = ?, error = ?, pid = NULL, ' +
          'process = NULL, result_hash = ?, outcome_checksum = ? WHERE id = ?',
        status,
        row.ended_at,
        text,
        row.error,
        row.result_hash,
        outcomeChecksum(row),
        id,
      );
      this.#listing.finish(found.seq, result);
    });
    this.#file.emptyLog();
    this.#file.changed();
  }
}
