/** Makes the store ready where set-up left SQLite out (`sae-eval setup --without-server`). */
import { betterSqlite3, packageFolder } from '../sqlite/better-sqlite3.js';
import { nodeSqlite } from '../sqlite/node-sqlite.js';
import { setUpSqlite } from '../sqlite/setup.js';
import { streamLog } from '../torch/setup/index.js';

function isReady(): boolean {
  try {
    betterSqlite3()(':memory:', { readOnly: false }).close();
    return true;
  } catch {
    return false;
  }
}

/**
 * Builds the native part of a better-sqlite3 that has none. Nothing is installed. Whoever
 * opens the store without the package is told what to do.
 * @throws SaeEvalError `setup-missing`.
 */
export async function makeStoreReady(): Promise<void> {
  if (nodeSqlite() !== null || packageFolder() === null || isReady()) return;
  await setUpSqlite({ log: streamLog() });
}
