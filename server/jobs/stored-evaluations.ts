/** Stored evaluations: submitted, read one by one or as a list, and removed. */
import { SaeEvalError } from '../../src/errors.js';
import type { PathTable } from '../../src/evaluation/request/path-table.js';
import type { EvaluationListItem, Headline } from '../../src/schema/list.js';
import {
  hasEnded,
  type EvaluationRecord,
  type EvaluationStatus,
  type EvaluationSummary,
} from '../../src/schema/record.js';
import type { ResolvedRequest } from '../../src/schema/request.js';
import type { EvaluationResult } from '../../src/schema/result.js';
import type { Ownership } from '../auth/access.js';
import { damagedRecord, resultHash, submissionChecksum } from './checksums.js';
import type { ListFilter, Listing, Place } from './listing.js';
import type { StoreFile } from './store-file.js';
import { columns, parsed, summaryOf, type Row } from './store-rows.js';
import type { SumsFolder } from './sums-folder.js';

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

const isDamage = (thrown: unknown): boolean =>
  thrown instanceof SaeEvalError && thrown.code === 'storage-damaged';

export class StoredEvaluations {
  readonly #file: StoreFile;
  readonly #listing: Listing;
  readonly #sums: SumsFolder;
  readonly #shared: boolean;

  /** @param shared whether other keys may read evaluations whose requests do not say. */
  constructor({
    file,
    listing,
    sums,
    shared,
  }: {
    file: StoreFile;
    listing: Listing;
    sums: SumsFolder;
    shared: boolean;
  }) {
    this.#file = file;
    this.#listing = listing;
    this.#sums = sums;
    this.#shared = shared;
    file.transaction(() =>
      listing.complete({
        requestOf: (id) => this.#ifSound(() => this.summary(id)?.request),
        resultOf: (id) => this.#ifSound(() => this.record(id)?.result),
      }),
    );
  }

  /** Stores a new evaluation, or finds the one that has its idempotency key. */
  insert(evaluation: NewEvaluation): { id: string; bodyHash: string | null; isNew: boolean } {
    const inserted = this.#insert(evaluation);
    this.#file.changed();
    return inserted;
  }

  #insert(evaluation: NewEvaluation): { id: string; bodyHash: string | null; isNew: boolean } {
    return this.#file.transaction(() => {
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
        created_at: new Date().toISOString(),
        rerun_of: rerunOf,
      };
      const labels = JSON.stringify(request.saes.map(({ label }) => label ?? ''));
      this.#file.run(
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
    const row = this.#file.get<{ id: string; body_hash: string | null }>(
      'SELECT id, body_hash FROM evaluations WHERE client = ? AND idempotency_key = ?',
      client,
      key,
    );
    return row === undefined ? null : { id: row.id, bodyHash: row.body_hash };
  }

  summary(id: string): EvaluationSummary | null {
    const row = this.#file.get<Row>(`SELECT ${columns} FROM evaluations WHERE id = ?`, id);
    return row === undefined ? null : this.#summaryOf(row);
  }

  record(id: string): EvaluationRecord | null {
    const row = this.#file.get<Row & { result: string | null }>(
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
    const row = this.#file.get<{ result: string | null; result_hash: string | null }>(
      'SELECT result, result_hash FROM evaluations WHERE id = ?',
      id,
    );
    if (row === undefined || row.result === null) return null;
    return { id, text: row.result, hash: row.result_hash };
  }

  hasResult(id: string): boolean {
    return (
      this.#file.get('SELECT 1 FROM evaluations WHERE id = ? AND result IS NOT NULL', id) !==
      undefined
    );
  }

  /** Status alone, which a damaged record has too. */
  status(id: string): EvaluationStatus | null {
    return (
      this.#file.get<{ status: EvaluationStatus }>(
        'SELECT status FROM evaluations WHERE id = ?',
        id,
      )?.status ?? null
    );
  }

  /** Status and ownership alone, which a damaged record has too. */
  access(id: string): (Ownership & { status: EvaluationStatus }) | null {
    const row = this.#file.get<{
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
    return this.#file.all(
      'SELECT id, submitted_by AS submittedBy FROM evaluations ' +
        "WHERE status IN ('queued', 'running') AND submitted_by IS NOT NULL ORDER BY seq",
    );
  }

  /** Ids of damaged records among the newest `most`. Reads their results. */
  damaged(most: number): string[] {
    return this.#file
      .all<{ id: string }>('SELECT id FROM evaluations ORDER BY seq DESC LIMIT ?', most)
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
      this.#file
        .all<Row>(
          `SELECT ${columns} FROM evaluations WHERE seq IN (SELECT value FROM json_each(?))`,
          JSON.stringify(seqs),
        )
        .map((row) => [row.seq, row]),
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
        : this.#file.all<{ id: string }>(
            `SELECT id FROM evaluations WHERE ${ended} AND ended_at < ? ORDER BY seq LIMIT ?`,
            before,
            most,
          );
    const many =
      keep === null || old.length === most
        ? []
        : this.#file.all<{ id: string }>(
            `SELECT id FROM evaluations WHERE ${ended} ORDER BY seq DESC LIMIT ? OFFSET ?`,
            most,
            keep,
          );
    return [...new Set([...old, ...many].map(({ id }) => id))].slice(0, most);
  }

  /** Time at which the newest evaluation was made or ended; null without one. */
  newestEnd(): string | null {
    return this.#file.get<{ at: string | null }>(
      'SELECT max(coalesce(ended_at, created_at)) AS at FROM evaluations',
    )!.at;
  }

  /** Removes an evaluation with the files beside the database. */
  remove(id: string): void {
    this.#file.change('DELETE FROM evaluations WHERE id = ?', id);
    this.#sums.remove(id);
    this.#file.giveBackSpace();
  }

  /** Removes sums and latents tables of evaluations that there are none of. */
  sweepSums(): void {
    this.#sums.sweep((id) => this.status(id) !== null);
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
    return this.#file.get<{ seq: number }>('SELECT seq FROM evaluations WHERE id = ?', id)?.seq;
  }

  /** Result of `read`; null if the record is damaged or has none. */
  #ifSound<T>(read: () => T | null | undefined): T | null {
    try {
      return read() ?? null;
    } catch (thrown) {
      if (!isDamage(thrown)) throw thrown;
      return null;
    }
  }
}
