/**
 * `sae-eval setup`: finds or fetches libtorch, brings the native addon, and SQLite if this Node has
 * none. Without SQLite only the server does not work, so that its lack is told and no failure.
 */
import { asSaeEvalError } from '../../errors.js';
import { setUpSqlite } from '../../sqlite/setup.js';
import { setup, streamLog } from '../../torch/setup/index.js';

export async function setupCommand(): Promise<void> {
  const log = streamLog();
  const { addon, libtorch } = await setup({ log });
  try {
    await setUpSqlite({ log });
  } catch (thrown) {
    log(asSaeEvalError(thrown, 'Set-up of SQLite').message, 'line');
  }
  log(`ready: ${addon}, libtorch ${libtorch.version}`, 'line');
}
