/**
 * All evaluations in one SQLite file (WAL): requests, states, progress, results. Every write is
 * complete before an answer is sent, so that a kill at any moment loses nothing that was promised.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SaeEvalError, type SerializedError } from '../../src/errors.js';
import type { PathTable } from '../../src/evaluation/request/path-table.js';
import {
  hasEnded,
  type EvaluationRecord,
  type EvaluationStatus,
  type EvaluationSummary,
  type Progress,
} from '../../src/schema/record.js';
import type { ResolvedRequest } from '../../src/schema/request.js';
import type { EvaluationListItem, Headline } from '../../src/schema/list.js';
import type { EvaluationResult } from '../../src/schema/result.js';
import { Database, type Statement } from '../../src/sqlite/database.js';
import type { Ownership } from '../auth/access.js';
import {
  ChangeCount,
  changesOf,
  checkBeforeOpening,
  checkChanges,
  type Changes,
} from './change-count.js';
import {
  damagedFile,
  damagedRecord,
  outcomeChecksum,
  resultHash,
  submissionChecksum,
} from './checksums.js';
import { latentsBeside } from './latents-beside.js';
import { Listing, type ListFilter, type Place } from './listing.js';
import { ownerOnlyFile, ownerOnlyFolder } from './owner-only.js';
import { migrate } from './store-layout.js';
import type { ProcessIdentity } from './process-identity.js';
import { giveBackSpace, letShrink, rewriteToShrink } from './store-space.js';
import { checked, columns, parsed, summaryOf, type Row } from './store-rows.js';
import { Upkeep } from './upkeep.js';

export interface NewEvaluation {
  id: string;
  /** As asked: `cpu`, `cuda` or `cuda:1`. */
  device: string;
  submittedBy: string | null;
  /** Label of the API key, or address; for fair order and limits. */
  client: string;
  request: ResolvedRequest;
  paths: NonNullable<PathTable>;
  idempotencyKey: string | null;
  bodyHash: string;
  /** Id of the evaluation that it repeats. */
  rerunOf?: string | null;
  /** Trace of the submitting request. */
  trace: Record<string, string>;
}

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

const isDamage = (thrown: unknown): boolean =>
  thrown instanceof SaeEvalError && thrown.code === 'storage-damaged';

/** What is wrong with the structure of a file; null if nothing is. @throws Error of SQLite. */
function structuralFault(db: Database): string | null {
  try {
    const [found] = db.pragma('integrity_check(1)') as {
      integrity_check: string;
    }[];
    return found === undefined || found.integrity_check === 'ok' ? null : found.integrity_check;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code?.startsWith('SQLITE_CORRUPT') === true)
      return (thrown as Error).message;
    throw thrown;
  }
}

/** A file of sums or a latents table, finished or not. */
const sumsName = /^([\w-]+)\.(?:safetensors|latents\.parquet(?:\.tokens)?)(?:\.part)?$/;

export class Store {
  readonly #db: Database;
  readonly #listing: Listing;
  readonly #sums: string;
  readonly #shared: boolean;
  readonly #statements = new Map<string, Statement>();
  readonly #count: ChangeCount;
  readonly #upkeep = new Upkeep(() => this.#emptyLog());

  /**
   * Opens the file, or makes it.
   * @param shared whether other keys may read evaluations whose requests do not say.
   * @param rewrite whether a large file of an earlier version is written anew, so that it shrinks.
   * @throws SaeEvalError `storage-damaged`, `configuration-invalid`.
   */
  constructor(
    file: string,
    { shared = false, rewrite = false }: { shared?: boolean; rewrite?: boolean } = {},
  ) {
    checkBeforeOpening(file);
    this.#shared = shared;
    ownerOnlyFile(file);
    // The event loop waits with it; who writes tries again.
    this.#db = new Database(file, { busyTimeout: 1000 });
    try {
      const fault = structuralFault(this.#db);
      if (fault !== null) throw damagedFile(file, fault);
      letShrink(this.#db);
      this.#db.pragma('journal_mode = WAL');
      // FULL: a commit survives a power cut too.
      this.#db.pragma('synchronous = FULL');
      this.#db.pragma('foreign_keys = ON');
      // From here on the database itself says which store it is.
      if (migrate(this.#db)) this.#emptyLog();
      this.#count = new ChangeCount(file);
      checkChanges(file, this.#changes());
      this.#count.note(this.#changes());
      rewriteToShrink(this.#db, { evenIfLarge: rewrite });
      this.#listing = new Listing({
        run: (sql, ...values) => this.#run(sql, ...values),
        get: (sql, ...values) => this.#get(sql, ...values),
        all: (sql, ...values) => this.#all(sql, ...values),
      });
      this.#db.transaction(() =>
        this.#listing.complete({
          requestOf: (id) => this.#ifSound(() => this.summary(id)?.request),
          resultOf: (id) => this.#ifSound(() => this.record(id)?.result),
        }),
      );
    } catch (thrown) {
      // An open file would keep its locks.
      this.#db.close();
      throw thrown;
    }
    this.#sums = `${file}.sums`;
    ownerOnlyFolder(this.#sums);
  }

  /** Path of the sums of an evaluation (docs/reference/sums.md), which lie beside the database. */
  sumsOf(id: string): string {
    return join(this.#sums, `${id.replaceAll(/[^\w-]/g, '')}.safetensors`);
  }

  /** Stores a new evaluation, or finds the one that has its idempotency key. */
  insert(evaluation: NewEvaluation): { id: string; bodyHash: string | null; isNew: boolean } {
    const inserted = this.#insert(evaluation);
    this.#changed();
    return inserted;
  }

  #insert(evaluation: NewEvaluation): { id: string; bodyHash: string | null; isNew: boolean } {
    return this.#db.transaction(() => {
      if (evaluation.idempotencyKey !== null) {
        const known = this.byIdempotencyKey(evaluation.client, evaluation.idempotencyKey);
        if (known !== null) return { ...known, isNew: false };
      }
      const { id, device, submittedBy, client, request, paths, idempotencyKey, bodyHash } =
        evaluation;
      const { trace, rerunOf = null } = evaluation;
      const row = {
        id,
        device,
        submitted_by: submittedBy,
        client,
        request: JSON.stringify(request),
        paths: JSON.stringify(paths),
        created_at: now(),
        rerun_of: rerunOf,
      };
      const labels = JSON.stringify(request.saes.map(({ label }) => label ?? ''));
      this.#run(
        `INSERT INTO evaluations
             (id, status, device, submitted_by, client, labels, request, paths, created_at,
              attempts, idempotency_key, body_hash, trace, checksum, rerun_of)
           VALUES (?, 'queued', ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)`,
        id,
        device,
        submittedBy,
        client,
        labels,
        row.request,
        row.paths,
        row.created_at,
        idempotencyKey,
        bodyHash,
        JSON.stringify(trace),
        submissionChecksum(row),
        rerunOf,
      );
      this.#listing.insert(this.#seqOf(id)!, request);
      return { id, bodyHash, isNew: true };
    });
  }

  byIdempotencyKey(client: string, key: string): { id: string; bodyHash: string | null } | null {
    const row = this.#get<{ id: string; body_hash: string | null }>(
      'SELECT id, body_hash FROM evaluations WHERE client = ? AND idempotency_key = ?',
      client,
      key,
    );
    return row === undefined ? null : { id: row.id, bodyHash: row.body_hash };
  }

  summary(id: string): EvaluationSummary | null {
    const row = this.#get<Row>(`SELECT ${columns} FROM evaluations WHERE id = ?`, id);
    return row === undefined ? null : this.#summaryOf(row);
  }

  record(id: string): EvaluationRecord | null {
    const row = this.#get<Row & { result: string | null }>(
      `SELECT ${columns}, result FROM evaluations WHERE id = ?`,
      id,
    );
    if (row === undefined) return null;
    const summary = this.#summaryOf(row);
    if (row.result_hash !== null && row.result_hash !== resultHash(row.result))
      throw damagedRecord(id);
    return {
      ...summary,
      result: row.result === null ? null : parsed<EvaluationResult>(row, row.result),
    };
  }

  /** The stored text of a result with its checksum; null without a result. */
  resultText(id: string): { id: string; text: string; hash: string | null } | null {
    const row = this.#get<{ result: string | null; result_hash: string | null }>(
      'SELECT result, result_hash FROM evaluations WHERE id = ?',
      id,
    );
    if (row === undefined || row.result === null) return null;
    return { id, text: row.result, hash: row.result_hash };
  }

  hasResult(id: string): boolean {
    return (
      this.#get('SELECT 1 FROM evaluations WHERE id = ? AND result IS NOT NULL', id) !== undefined
    );
  }

  /** Status alone, which a damaged record has too. */
  status(id: string): EvaluationStatus | null {
    return (
      this.#get<{ status: EvaluationStatus }>('SELECT status FROM evaluations WHERE id = ?', id)
        ?.status ?? null
    );
  }

  /** Status and ownership alone, which a damaged record has too. */
  access(id: string): (Ownership & { status: EvaluationStatus }) | null {
    const row = this.#get<{
      status: EvaluationStatus;
      submitted_by: string | null;
      shared: number | null;
    }>(
      'SELECT e.status, e.submitted_by, l.shared FROM evaluations e ' +
        'LEFT JOIN listing l ON l.seq = e.seq WHERE e.id = ?',
      id,
    );
    if (row === undefined) return null;
    const shared = row.shared === null ? this.#shared : row.shared === 1;
    return { status: row.status, submittedBy: row.submitted_by, shared };
  }

  /** Waiting and running evaluations with the labels of their keys. */
  submitters(): { id: string; submittedBy: string }[] {
    return this.#all(
      'SELECT id, submitted_by AS submittedBy FROM evaluations ' +
        "WHERE status IN ('queued', 'running') AND submitted_by IS NOT NULL ORDER BY seq",
    );
  }

  /** Ids of damaged records among the newest `most`. Reads their results. */
  damaged(most: number): string[] {
    return this.#all<{ id: string }>('SELECT id FROM evaluations ORDER BY seq DESC LIMIT ?', most)
      .map(({ id }) => id)
      .filter((id) => {
        try {
          return this.record(id) === null;
        } catch {
          return true;
        }
      });
  }

  /** A page of evaluations. `next` continues the list; `damaged` has the ids left out. */
  list(filter: ListFilter): {
    items: EvaluationListItem[];
    damaged: string[];
    next: Place | null;
  } {
    const { seqs, next } = this.#listing.page({ ...filter, shared: this.#shared });
    const rows = new Map(
      this.#all<Row>(
        `SELECT ${columns} FROM evaluations WHERE seq IN (SELECT value FROM json_each(?))`,
        JSON.stringify(seqs),
      ).map((row) => [row.seq, row]),
    );
    const damaged: string[] = [];
    const items = seqs.flatMap((seq): EvaluationListItem[] => {
      const row = rows.get(seq)!;
      try {
        return [{ ...this.#summaryOf(row), headline: this.#headline(row) }];
      } catch (thrown) {
        if (!isDamage(thrown)) throw thrown;
        damaged.push(row.id);
        return [];
      }
    });
    return { items, damaged, next };
  }

  #summaryOf(row: Row): EvaluationSummary {
    return summaryOf(row, { shared: this.#shared });
  }

  #headline({ seq, id, status }: Row): Headline | null {
    return hasEnded(status)
      ? this.#listing.headline(seq, () => this.#ifSound(() => this.record(id)?.result))
      : null;
  }

  #seqOf(id: string): number | undefined {
    return this.#get<{ seq: number }>('SELECT seq FROM evaluations WHERE id = ?', id)?.seq;
  }

  /** What `read` gives; null if the record is damaged or has none. */
  #ifSound<T>(read: () => T | null | undefined): T | null {
    try {
      return read() ?? null;
    } catch (thrown) {
      if (!isDamage(thrown)) throw thrown;
      return null;
    }
  }

  /** Waiting evaluations that ask for one of these devices or kinds, oldest first. */
  queued(asked: readonly string[]): { id: string; client: string }[] {
    return this.#all(
      "SELECT id, client FROM evaluations WHERE status = 'queued' AND device IN " +
        '(SELECT value FROM json_each(?)) ORDER BY seq',
      JSON.stringify(asked),
    );
  }

  /** Number of waiting evaluations by the device or kind that they ask for. */
  countQueuedByDevice(): Map<string, number> {
    return new Map(
      this.#all<{ device: string; n: number }>(
        "SELECT device, count(*) AS n FROM evaluations WHERE status = 'queued' GROUP BY device",
      ).map(({ device, n }) => [device, n]),
    );
  }

  job(id: string): Job | null {
    const row = this.#get<Row & { trace: string }>(
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
    return this.#all(
      'SELECT client, max(started_at) AS at FROM evaluations WHERE started_at IS NOT NULL ' +
        'GROUP BY client ORDER BY at',
    );
  }

  countByStatus(): Map<EvaluationStatus, number> {
    return new Map(
      this.#all<{ status: EvaluationStatus; n: number }>(
        'SELECT status, count(*) AS n FROM evaluations GROUP BY status',
      ).map(({ status, n }) => [status, n]),
    );
  }

  countQueued(client?: string): number {
    return this.#get<{ n: number }>(
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
    return this.#all("SELECT id, process FROM evaluations WHERE status = 'running' ORDER BY seq");
  }

  start(id: string): void {
    this.#change(
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
    this.#run(
      'UPDATE evaluations SET pid = ?, process = ? WHERE id = ?',
      identity?.pid ?? null,
      identity === null ? null : JSON.stringify(identity),
      id,
    );
  }

  setProgress(id: string, progress: Progress): void {
    this.#run('UPDATE evaluations SET progress = ? WHERE id = ?', JSON.stringify(progress), id);
  }

  /** Puts a running evaluation back into the queue, at its old place. */
  requeue(id: string): void {
    this.#change(
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
    const found = this.#get<
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
    this.#db.transaction(() => {
      this.#run(
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
    this.#emptyLog();
    this.#changed();
  }

  /** Ended evaluations that ended before a time, or are more than the newest `keep`. */
  toRemove({
    before,
    keep,
    most,
  }: {
    before: string | null;
    keep: number | null;
    most: number;
  }): string[] {
    const ended = "status NOT IN ('queued', 'running')";
    const old =
      before === null
        ? []
        : this.#all<{ id: string }>(
            `SELECT id FROM evaluations WHERE ${ended} AND ended_at < ? ORDER BY seq LIMIT ?`,
            before,
            most,
          );
    const many =
      keep === null || old.length === most
        ? []
        : this.#all<{ id: string }>(
            `SELECT id FROM evaluations WHERE ${ended} ORDER BY seq DESC LIMIT ? OFFSET ?`,
            most,
            keep,
          );
    return [...new Set([...old, ...many].map(({ id }) => id))].slice(0, most);
  }

  /** Time at which the newest evaluation was made or ended; null without one. */
  newestEnd(): string | null {
    return this.#get<{ at: string | null }>(
      'SELECT max(coalesce(ended_at, created_at)) AS at FROM evaluations',
    )!.at;
  }

  remove(id: string): void {
    this.#change('DELETE FROM evaluations WHERE id = ?', id);
    rmSync(this.sumsOf(id), { force: true });
    rmSync(latentsBeside(this.sumsOf(id)), { force: true });
    giveBackSpace(this.#db);
    this.#emptyLog();
  }

  /** Removes sums and latents tables of evaluations that there are none of. */
  sweepSums(): void {
    for (const name of readdirSync(this.#sums)) {
      const [, id] = sumsName.exec(name) ?? [];
      if (id !== undefined && this.status(id) === null)
        rmSync(join(this.#sums, name), { force: true });
    }
  }

  /** Writes an unchanged value to the file. @throws if the file cannot be written. */
  check(): void {
    const [row] = this.#db.pragma('user_version') as { user_version: number }[];
    this.#db.pragma(`user_version = ${row!.user_version}`);
  }

  /** A fact of the store itself; null if it has none of this name. */
  fact(name: string): string | null {
    const row = this.#get<{ value: unknown }>('SELECT value FROM facts WHERE name = ?', name);
    return row === undefined ? null : String(row.value);
  }

  setFact(name: string, value: string): void {
    this.#run('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)', name, value);
  }

  close(): void {
    this.#upkeep.stop();
    this.#count.close();
    this.#db.close();
  }

  #changes(): Changes {
    return changesOf(this.#db);
  }

  /** Call after what changed the number of evaluations or a status was committed. */
  #changed(): void {
    try {
      this.#count.note(this.#changes());
    } catch {
      // A committed change stays; the next change notes it.
    }
  }

  /**
   * Moves what the write-ahead log holds to the file: SQLite would drop, without a word, what
   * stands behind a damaged place in the log.
   */
  #emptyLog(): void {
    try {
      this.#db.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // There is no room; what the log holds is stored all the same.
    }
  }

  #statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }

  #run(sql: string, ...values: unknown[]): void {
    this.#statement(sql).run(...values);
    this.#upkeep.due();
  }

  /** {@link #run} for a change that is counted. */
  #change(sql: string, ...values: unknown[]): void {
    this.#run(sql, ...values);
    this.#changed();
  }

  #get<T>(sql: string, ...values: unknown[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined;
  }

  #all<T>(sql: string, ...values: unknown[]): T[] {
    return this.#statement(sql).all(...values) as T[];
  }
}
