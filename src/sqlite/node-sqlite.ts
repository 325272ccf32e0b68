/**
 * Node's own SQLite. Integers come as bigint, since Node refuses to read those beyond 2^53 as
 * numbers, of which a damaged file may hold any; they are rounded here as better-sqlite3 does.
 */
import { createRequire } from 'node:module';

export interface DriverStatement {
  run(...values: unknown[]): unknown;
  get(...values: unknown[]): Record<string, unknown> | undefined;
  all(...values: unknown[]): Record<string, unknown>[];
}

export interface Driver {
  exec(sql: string): unknown;
  prepare(sql: string): DriverStatement;
  /** Rows of a statement, which may be of a kind that gives none. */
  rows(sql: string): Record<string, unknown>[];
  close(): unknown;
}

export type OpenDriver = (file: string, options: { readOnly: boolean }) => Driver;

/** The part of `node:sqlite` that is used; types of Node 20 do not have it. */
interface NodeSqlite {
  DatabaseSync: new (
    file: string,
    options: { readOnly: boolean },
  ) => {
    exec(sql: string): void;
    prepare(sql: string): DriverStatement & { setReadBigInts(on: boolean): void };
    close(): void;
  };
}

let loaded: NodeSqlite | null | undefined;

/** What opens a database with Node's SQLite; null if this Node has none. */
export function nodeSqlite(): OpenDriver | null {
  const sqlite = (loaded ??= load());
  if (sqlite === null) return null;
  return (file, options) => {
    const db = new sqlite.DatabaseSync(file, options);
    const prepare = (sql: string): DriverStatement => {
      const statement = db.prepare(sql);
      statement.setReadBigInts(true);
      return {
        run: (...values) => statement.run(...values),
        get: (...values) => {
          const row = statement.get(...values);
          return row === undefined ? undefined : rounded(row);
        },
        all: (...values) => statement.all(...values).map(rounded),
      };
    };
    return {
      exec: (sql) => db.exec(sql),
      prepare,
      rows: (sql) => prepare(sql).all(),
      close: () => db.close(),
    };
  };
}

function load(): NodeSqlite | null {
  // Node 22 warns that its SQLite is experimental, which is nothing to users of a server.
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return createRequire(import.meta.url)('node:sqlite') as NodeSqlite;
  } catch {
    return null;
  } finally {
    process.emitWarning = emitWarning;
  }
}

function rounded(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'bigint' ? Number(value) : value,
    ]),
  );
}
