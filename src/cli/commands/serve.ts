/** `sae-eval serve`: the HTTP server. */
import { startServer } from '../../../server/main.js';
import { SaeEvalError } from '../../errors.js';
import type { ServeOptions } from '../main.js';

export async function serve({ host, port, root, db, apiKeys }: ServeOptions): Promise<void> {
  const number = Number(port);
  if (!Number.isInteger(number) || number < 0 || number > 65_535) {
    throw new SaeEvalError('request-invalid', `--port: expected a whole number from 0 to 65535, found ${port}`);
  }
  await startServer({ host, port: number, db, ...(root === undefined ? {} : { roots: root }), ...(apiKeys === undefined ? {} : { apiKeys }) });
}
