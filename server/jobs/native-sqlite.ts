/** Tells a store that cannot be opened from a SQLite that was not built. */
import { SaeEvalError } from '../../src/errors.js';

/**
 * The error to show if better-sqlite3 failed because its native part is missing or belongs to
 * another Node; null for any other error. Package managers leave it out if install scripts are off
 * (`npm --ignore-scripts`, pnpm before the package was approved).
 */
export function missingNativeSqlite(thrown: unknown): SaeEvalError | null {
  const { code, message = '' } = thrown as Partial<NodeJS.ErrnoException>;
  const isMissing = message.startsWith('Could not locate the bindings file');
  if (!isMissing && code !== 'ERR_DLOPEN_FAILED') return null;
  const why = isMissing
    ? 'was not built, since install scripts were off'
    : 'does not load in this Node';
  return new SaeEvalError(
    'setup-missing',
    `The native part of better-sqlite3, which keeps the server's store, ${why}: run ` +
      '`npm rebuild better-sqlite3`, or with pnpm `pnpm approve-builds` and ' +
      '`pnpm rebuild better-sqlite3`.',
    { cause: thrown },
  );
}
