/**
 * SQLite databases. Node's own SQLite opens them if this Node has one (22.13 on), else the package
 * better-sqlite3; both give the same rows, and errors with the same codes (`SQLITE_BUSY`, …).
 */
import { resolve } from 'node:path';
import { betterSqlite3 } from './better-sqlite3.js';
import { nodeSqlite, type Driver, type DriverStatement } from './node-sqlite.js';

/** Name of a primary result code of SQLite is at the index of its number. */
const codes = [
  ...['OK', 'ERROR', 'INTERNAL', 'PERM', 'ABORT', 'BUSY', 'LOCKED', 'NOMEM', 'READONLY'],
  ...['INTERRUPT', 'IOERR', 'CORRUPT', 'NOTFOUND', 'FULL', 'CANTOPEN', 'PROTOCOL', 'EMPTY'],
  ...['SCHEMA', 'TOOBIG', 'CONSTRAINT', 'MISMATCH', 'MISUSE', 'NOLFS', 'AUTH', 'FORMAT', 'RANGE'],
  'NOTADB',
];

/** What `action` returns. @throws Error of SQLite with a `code` that names it. */
function named<T>(action: () => T): T {
  try {
    return action();
  } catch (thrown) {
    const { errcode } = thrown as { errcode?: unknown };
    if (typeof errcode !== 'number') throw thrown;
    // The low byte of an extended code is the primary code.
    const code = `SQLITE_${codes[errcode & 0xff] ?? errcode}`;
    throw Object.assign(thrown as Error, { code });
  }
}

export type Row = Record<string, unknown>;

/** A prepared statement. Values are given by position, or all by name in one object. */
export class Statement {
  constructor(private readonly statement: DriverStatement) {}

  run(...values: unknown[]): void {
    named(() => this.statement.run(...values));
  }

  get(...values: unknown[]): Row | undefined {
    return named(() => this.statement.get(...values));
  }

  all(...values: unknown[]): Row[] {
    return named(() => this.statement.all(...values));
  }
}

export class Database {
  readonly #driver: Driver;

  /**
   * Opens a file, or makes it.
   * @param busyTimeout milliseconds to wait for another connection's lock.
   * @throws SaeEvalError `setup-missing` if there is no SQLite; Error of SQLite.
   */
  constructor(
    readonly name: string,
    { busyTimeout = 5000, readOnly = false }: { busyTimeout?: number; readOnly?: boolean } = {},
  ) {
    const open = nodeSqlite() ?? betterSqlite3();
    // An absolute path: a name that starts with `file:` would be read as an address.
    const path = name === ':memory:' ? name : resolve(name);
    this.#driver = named(() => open(path, { readOnly }));
    this.pragma(`busy_timeout = ${busyTimeout}`);
  }

  /** Runs statements without values. */
  exec(sql: string): void {
    named(() => this.#driver.exec(sql));
  }

  prepare(sql: string): Statement {
    return new Statement(named(() => this.#driver.prepare(sql)));
  }

  /** Rows that a pragma gives: none for most that set something. */
  pragma(pragma: string): Row[] {
    return named(() => this.#driver.rows(`PRAGMA ${pragma}`));
  }

  /** Does `work` in a transaction that may write from its start; undone if it throws. */
  transaction<T>(work: () => T): T {
    this.exec('BEGIN IMMEDIATE');
    try {
      const value = work();
      this.exec('COMMIT');
      return value;
    } catch (thrown) {
      try {
        this.exec('ROLLBACK');
      } catch {
        // SQLite has undone it already, as it does if the disk fails.
      }
      throw thrown;
    }
  }

  close(): void {
    this.#driver.close();
  }
}
