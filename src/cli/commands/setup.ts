/**
 * `sae-eval setup`: finds or fetches libtorch, brings the native addon, and SQLite if this Node has
 * none. Without SQLite only the server does not work, so that its lack is told and no failure.
 */
import { asSaeEvalError } from '../../errors.js';
import { setUpSqlite } from '../../sqlite/setup.js';
import { setup, streamLog } from '../../torch/setup/index.js';

export async function setupCommand({ server }: { server: boolean }): Promise<void> {
  const log = streamLog();
  // Its compiler works while libtorch is fetched.
  const sqlite = !server
    ? undefined
    : setUpSqlite({ log }).catch((thrown: unknown) =>
        log(asSaeEvalError(thrown, 'Set-up of SQLite').message, 'line'),
      );
  const { addon, libtorch } = await setup({ log });
  await sqlite;
  log(`ready: ${addon}, libtorch ${libtorch.version}`, 'line');
}
