/** `sae-eval serve`: the HTTP server. */
import { startServer } from '../../../server/main.js';
import { SaeEvalError } from '../../errors.js';
import type { ServeOptions } from '../main.js';

export async function serve({ host, port, root, db, apiKeys }: ServeOptions): Promise<void> {
  const number = port === undefined ? undefined : Number(port);
  if (number !== undefined && (!Number.isInteger(number) || number < 0 || number > 65_535)) {
    throw new SaeEvalError('request-invalid', `--port: expected a whole number from 0 to 65535, found ${port}`);
  }
  const { url } = await startServer({
    ...(host === undefined ? {} : { host }),
    ...(number === undefined ? {} : { port: number }),
    ...(db === undefined ? {} : { db }),
    ...(root === undefined ? {} : { roots: root }),
    ...(apiKeys === undefined ? {} : { apiKeys }),
  });
  process.stderr.write(`sae-eval listens on ${url}\n`);
}
