/** Entry of a server process on its own: settings from the environment (docs/operations.md). */
import { asSaeEvalError } from '../src/errors.js';
import { startServer } from './main.js';

try {
  const { url } = await startServer();
  process.stdout.write(`sae-eval listens on ${url}\n`);
} catch (thrown) {
  process.stderr.write(`${asSaeEvalError(thrown, 'The server').message}\n`);
  process.exitCode = 2;
}
