/**
 * The SQLite file (WAL) of a store: opened with its checks, read and written by prepared
 * statements. Every write is complete before the call returns, so that a kill at any moment loses
 * nothing that was promised.
 */
import { Database, type Statement } from '../../src/sqlite/database.js';
import {
  ChangeCount,
  changesOf,
  checkBeforeOpening,
  checkChanges,
  type Changes,
} from './change-count.js';
import { damagedFile } from './checksums.js';
import { ownerOnlyFile } from './owner-only.js';
import { migrate } from './store-layout.js';
import { giveBackSpace, letShrink, rewriteToShrink } from './store-space.js';
import { Upkeep } from './upkeep.js';

/** Fault of the structure of a file; null if there is none. @throws Error of SQLite. */
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

export class StoreFile {
  readonly #db: Database;
  readonly #statements = new Map<string, Statement>();
  readonly #count: ChangeCount;
  readonly #upkeep = new Upkeep(() => this.emptyLog());

  /**
   * Opens the file, or makes it.
   * @param rewrite whether a large file of an earlier version is written anew, so that it shrinks.
   * @throws SaeEvalError `storage-damaged`, `configuration-invalid`.
   */
  constructor(file: string, { rewrite = false }: { rewrite?: boolean } = {}) {
    checkBeforeOpening(file);
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
      if (migrate(this.#db)) this.emptyLog();
      this.#count = new ChangeCount(file);
      checkChanges(file, this.#changes());
      this.#count.note(this.#changes());
      rewriteToShrink(this.#db, { evenIfLarge: rewrite });
    } catch (thrown) {
      // An open file would keep its locks.
      this.#db.close();
      throw thrown;
    }
  }

  run(sql: string, ...values: unknown[]): void {
    this.#statement(sql).run(...values);
    this.#upkeep.due();
  }

  /** {@link run} for a change that is counted. */
  change(sql: string, ...values: unknown[]): void {
    this.run(sql, ...values);
    this.changed();
  }

  get<T>(sql: string, ...values: unknown[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined;
  }

  all<T>(sql: string, ...values: unknown[]): T[] {
    return this.#statement(sql).all(...values) as T[];
  }

  transaction<T>(body: () => T): T {
    return this.#db.transaction(body);
  }

  /** Call after what changed the number of evaluations or a status was committed. */
  changed(): void {
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
  emptyLog(): void {
    try {
      this.#db.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // There is no room; what the log holds is stored all the same.
    }
  }

  /** Gives pages that hold nothing back to the disk. */
  giveBackSpace(): void {
    giveBackSpace(this.#db);
    this.emptyLog();
  }

  /** Writes an unchanged value to the file. @throws if the file cannot be written. */
  check(): void {
    const [row] = this.#db.pragma('user_version') as { user_version: number }[];
    this.#db.pragma(`user_version = ${row!.user_version}`);
  }

  close(): void {
    this.#upkeep.stop();
    this.#count.close();
    this.#db.close();
  }

  #changes(): Changes {
    return changesOf(this.#db);
  }

  #statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }
}
