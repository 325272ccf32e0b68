/** Ends the work of API keys that are no longer in the file. */
import type { FastifyBaseLogger } from 'fastify';
import { SaeEvalError } from '../../src/errors.js';
import type { JobQueue } from '../jobs/queue.js';
import type { Store } from '../jobs/store.js';
import type { KeyRing } from './keys.js';

const betweenLooks = 1000;

/**
 * Looks at the keys every second, and cancels what revoked ones have waiting and running.
 * @returns a function that stops it.
 */
export function endWorkOfRevokedKeys({
  keys,
  store,
  queue,
  log,
}: {
  keys: KeyRing;
  store: Store;
  queue: JobQueue;
  log: FastifyBaseLogger;
}): () => void {
  if (!keys.required) return () => {};
  let isDue = true;
  keys.onChange = () => (isDue = true);
  const look = (): void => {
    keys.refresh();
    if (!isDue) return;
    try {
      for (const { id, submittedBy } of store.evaluations.submitters())
        if (!keys.hasLabel(submittedBy)) {
          log.warn({ id, submittedBy }, 'cancelled: the API key that submitted it was revoked');
          queue.cancel(id, {
            because: new SaeEvalError(
              'cancelled',
              `The evaluation was cancelled because the API key '${submittedBy}' was revoked.`,
            ),
          });
        }
      isDue = false;
    } catch (error) {
      // The store cannot be written now; the next look tries again.
      log.warn({ err: error }, 'the work of revoked keys could not be cancelled');
    }
  };
  look();
  const timer = setInterval(look, betweenLooks).unref();
  return () => clearInterval(timer);
}
