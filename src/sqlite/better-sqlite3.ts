/**
 * The package better-sqlite3, for a Node without SQLite of its own. It is no dependency, since it
 * compiles for a minute and takes 28 MB where nobody needs it: set-up brings it (setup.ts).
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SaeEvalError } from '../errors.js';
import { cacheFolder } from '../torch/setup/paths.js';
import { platformTag } from '../torch/setup/platform.js';
import type { Driver, OpenDriver } from './node-sqlite.js';

interface BetterSqlite3 extends Driver {
  prepare(sql: string): ReturnType<Driver['prepare']> & { readonly reader: boolean };
}

type BetterSqlite3Class = new (file: string, options: { readonly: boolean }) => BetterSqlite3;

const name = 'better-sqlite3';

/**
 * Folder in which set-up installs it if no package that one depends on brings it. The native part
 * belongs to one version of Node's binary interface.
 */
export function ownFolder(): string {
  return join(cacheFolder(), `${name}-node${process.versions.modules}-${platformTag()}`);
}

/** Folder of the installed package, whether its native part is built or not; null if none is. */
export function packageFolder(): string | null {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    const own = join(ownFolder(), 'node_modules', name);
    return existsSync(join(own, 'package.json')) ? own : null;
  }
}

/**
 * What opens a database with better-sqlite3.
 * @throws SaeEvalError `setup-missing` if it is not there or its native part does not load.
 */
export function betterSqlite3(): OpenDriver {
  const folder = packageFolder();
  if (folder === null) throw missing('the package better-sqlite3 is not installed', null);
  const Opened = createRequire(import.meta.url)(folder) as BetterSqlite3Class;
  return (file, { readOnly }) => {
    try {
      const db = new Opened(file, { readonly: readOnly });
      return {
        exec: (sql) => db.exec(sql),
        prepare: (sql) => db.prepare(sql),
        rows(sql) {
          const statement = db.prepare(sql);
          if (statement.reader) return statement.all();
          statement.run();
          return [];
        },
        close: () => db.close(),
      };
    } catch (thrown) {
      throw withoutNativePart(thrown) ?? thrown;
    }
  };
}

function withoutNativePart(thrown: unknown): SaeEvalError | null {
  const { code, message = '' } = thrown as Partial<NodeJS.ErrnoException>;
  if (message.startsWith('Could not locate the bindings file'))
    return missing(`the native part of ${name} was not built, as install scripts were off`, thrown);
  if (code === 'ERR_DLOPEN_FAILED')
    return missing(`the native part of ${name} was built for another Node`, thrown);
  return null;
}

function missing(reason: string, cause: unknown): SaeEvalError {
  return new SaeEvalError(
    'setup-missing',
    `Node ${process.versions.node} has no SQLite, which keeps the server's store, and ${reason}: ` +
      'run `npx sae-eval setup`, which brings it, or use Node 22.13 or later.',
    { cause },
  );
}
