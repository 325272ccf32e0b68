/** Program of `npm run setup`: runs set-up, prints one sentence if it fails. */
import { asSaeEvalError } from '../../errors.js';
import { setup } from './index.js';

try {
  const { addon, libtorch } = await setup();
  process.stderr.write(`ready: ${addon}, libtorch ${libtorch.version}\n`);
} catch (thrown) {
  process.stderr.write(`sae-eval: ${asSaeEvalError(thrown, 'Set-up').message}\n`);
  process.exitCode = 1;
}
