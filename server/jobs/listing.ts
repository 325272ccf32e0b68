/**
 * The list of evaluations: filters, order and headlines, in tables of their own, so that a list
 * reads no result, however many there are.
 */
import { createHash } from 'node:crypto';
import type { EvaluationStatus } from '../../src/schema/record.js';
import {
  headlineFields,
  type Headline,
  type ListSort,
  type SortOrder,
} from '../../src/schema/list.js';
import type { ResolvedRequest } from '../../src/schema/request.js';
import type { EvaluationResult } from '../../src/schema/result.js';
import { listedOf } from './headline.js';

/** Statements of the store's file. */
export interface Statements {
  run(sql: string, ...values: unknown[]): void;
  get<T>(sql: string, ...values: unknown[]): T | undefined;
  all<T>(sql: string, ...values: unknown[]): T[];
}

/** Place of a row in a list: the value that it is sorted by, and its sequence number. */
export interface Place {
  value: string | number | null;
  seq: number;
}

export interface ListFilter {
  /** Label of the key whose evaluations are listed, with those that are shared; null: all. */
  owner?: string | null;
  statuses?: readonly EvaluationStatus[];
  label?: string | undefined;
  name?: string | undefined;
  /** Every one must be there. */
  tags?: readonly string[];
  /** Part of a name, tag, note, text of the metadata, label, kind or path, in any case. */
  q?: string | undefined;
  /** Default: `createdAt`. */
  sort?: ListSort | undefined;
  /** Default: {@link defaultOrder}. */
  order?: SortOrder | undefined;
  limit: number;
  /** Rows after this place are listed. */
  after?: Place;
}

/** Newest, longest and best first; texts by the alphabet. */
export function defaultOrder(sort: ListSort): SortOrder {
  if (sort === 'createdAt' || sort === 'seconds') return 'desc';
  const field = headlineFields.find(({ key }) => key === sort);
  return field?.better === 'higher' ? 'desc' : 'asc';
}

/** Characters of a model's path that count in the order. */
const sortedBy = 200;

const columnsOfSorts: Readonly<Record<string, string>> = {
  createdAt: 'e.seq',
  name: 'l.name COLLATE NOCASE',
  model: 'l.model COLLATE NOCASE',
  status: 'e.status',
  seconds: 'l.seconds',
};

const folded = (text: string): string => text.normalize('NFC').toLowerCase();

const checksumOf = (seq: number, headline: string): string =>
  createHash('sha256').update(`${seq} ${headline}`).digest('hex');

/** Texts of a request that a search looks into. */
function searched(request: ResolvedRequest): string {
  const { name = '', notes = '', tags = [], metadata = {}, saes, model, dataset } = request;
  return folded(
    [
      name,
      notes,
      ...tags,
      ...Object.values(metadata),
      ...saes.flatMap(({ label = '', kind = '', checkpoint }) => [label, kind, checkpoint]),
      model,
      dataset.path,
    ].join('\n'),
  );
}

export class Listing {
  constructor(private readonly db: Statements) {}

  /** Call with the insertion of the evaluation. */
  insert(seq: number, request: ResolvedRequest): void {
    this.db.run(
      'INSERT INTO listing (seq, name, tags, searched, model, shared) VALUES (?, ?, ?, ?, ?, ?)',
      seq,
      request.name ?? null,
      JSON.stringify(request.tags ?? []),
      searched(request),
      request.model.slice(0, sortedBy),
      request.shared === undefined ? null : Number(request.shared),
    );
  }

  /** Call with the end of the evaluation. */
  finish(seq: number, result: EvaluationResult | null): void {
    const listed = result === null ? null : listedOf(result);
    const headline = JSON.stringify(listed?.headline ?? null);
    this.db.run(
      'UPDATE listing SET headline = ?, checksum = ?, seconds = ? WHERE seq = ?',
      headline,
      checksumOf(seq, headline),
      listed?.headline.seconds ?? null,
      seq,
    );
    this.db.run('DELETE FROM best_values WHERE seq = ?', seq);
    for (const [field, value] of listed?.best ?? [])
      this.db.run(
        'INSERT INTO best_values (seq, field, value) VALUES (?, ?, ?)',
        seq,
        field,
        value,
      );
  }

  /**
   * Lists what earlier versions stored: `requestOf` and `resultOf` give a row's texts, null if it
   * is damaged.
   */
  complete({
    requestOf,
    resultOf,
  }: {
    requestOf: (id: string) => ResolvedRequest | null;
    resultOf: (id: string) => EvaluationResult | null;
  }): void {
    const rows = this.db.all<{ seq: number; id: string }>(
      'SELECT seq, id FROM evaluations WHERE seq NOT IN (SELECT seq FROM listing)',
    );
    for (const { seq, id } of rows) {
      const request = requestOf(id);
      if (request === null)
        this.db.run(
          "INSERT INTO listing (seq, tags, searched, model) VALUES (?, '[]', '', '')",
          seq,
        );
      else {
        this.insert(seq, request);
        this.finish(seq, resultOf(id));
      }
    }
  }

  /** Sequence numbers of a page, in order, and the place that continues it. */
  page({
    owner = null,
    shared = false,
    statuses,
    label,
    name,
    tags = [],
    q = '',
    sort = 'createdAt',
    order = defaultOrder(sort),
    limit,
    after,
  }: ListFilter & { shared?: boolean }): { seqs: number[]; next: Place | null } {
    const value = columnsOfSorts[sort] ?? 'v.value';
    const seqOrder = sort === 'createdAt' ? order : 'desc';
    const [than, seqThan] = [order === 'asc' ? '>' : '<', seqOrder === 'asc' ? '>' : '<'];
    // What has no value comes last, in either order.
    const rest =
      after === undefined
        ? '1'
        : after.value === null
          ? `${value} IS NULL AND e.seq ${seqThan} @seq`
          : `(${value} ${than} @value OR ${value} IS NULL
              OR (${value} = @value AND e.seq ${seqThan} @seq))`;
    const rows = this.db.all<Place>(
      `SELECT e.seq AS seq, ${value.replace(' COLLATE NOCASE', '')} AS value
       FROM evaluations e JOIN listing l ON l.seq = e.seq
         LEFT JOIN best_values v ON v.seq = e.seq AND v.field = @sort
       WHERE (@owner IS NULL OR e.submitted_by = @owner OR coalesce(l.shared, @shared) = 1)
         AND (@statuses IS NULL OR e.status IN (SELECT value FROM json_each(@statuses)))
         AND (@label IS NULL OR EXISTS (SELECT 1 FROM json_each(e.labels) WHERE value = @label))
         AND (@name IS NULL OR l.name = @name)
         AND NOT EXISTS (SELECT 1 FROM json_each(@tags) asked
           WHERE asked.value NOT IN (SELECT value FROM json_each(l.tags)))
         AND (@q = '' OR instr(l.searched, @q) > 0)
         AND ${rest}
       ORDER BY ${sort === 'createdAt' ? '' : `${value} IS NULL, ${value} ${order},`}
         e.seq ${seqOrder}
       LIMIT @limit`,
      {
        sort,
        owner,
        shared: Number(shared),
        statuses: statuses === undefined ? null : JSON.stringify(statuses),
        label: label ?? null,
        name: name ?? null,
        tags: JSON.stringify(tags),
        q: folded(q),
        limit: limit + 1,
        ...(after === undefined ? {} : { seq: after.seq }),
        ...(after === undefined || after.value === null ? {} : { value: after.value }),
      },
    );
    return {
      seqs: rows.slice(0, limit).map(({ seq }) => seq),
      next: rows.length > limit ? rows[limit - 1]! : null,
    };
  }

  /** Headline of an ended evaluation. `resultOf` makes one again whose bytes have changed. */
  headline(seq: number, resultOf: () => EvaluationResult | null): Headline | null {
    const row = this.db.get<{ headline: string | null; checksum: string | null }>(
      'SELECT headline, checksum FROM listing WHERE seq = ?',
      seq,
    );
    if (row === undefined) return null;
    if (row.headline !== null && row.checksum === checksumOf(seq, row.headline))
      return JSON.parse(row.headline) as Headline | null;
    const result = resultOf();
    return result === null ? null : (listedOf(result)?.headline ?? null);
  }
}
