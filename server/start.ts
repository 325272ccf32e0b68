/** The whole work of a server process; its settings come from the environment. */
import { asSaeEvalError } from '../src/errors.js';
import { startServer } from './main.js';

export async function start(): Promise<void> {
  try {
    const { url } = await startServer();
    process.stdout.write(`sae-eval listens on ${url}\n`);
  } catch (thrown) {
    process.stderr.write(`${asSaeEvalError(thrown, 'The server').message}\n`);
    process.exitCode = 2;
  }
}
