/**
 * Bodies that must end before they return: what they run under, a scope or a mode, is the thread's
 * and ends with them.
 */
import { TorchError } from './errors.js';

/**
 * Throws where such a body returned a promise. What the promise comes to is not awaited; its own
 * error is dropped.
 * @throws TorchError `torch-argument`.
 */
export function refusePromise(result: unknown, what: string, instead: string): void {
  if (
    typeof result !== 'object' ||
    result === null ||
    typeof (result as { then?: unknown }).then !== 'function'
  )
    return;
  (result as Promise<unknown>).then(undefined, () => undefined);
  throw new TorchError(
    'torch-argument',
    `${what}: expected a synchronous function, found one that returned a promise; ${instead}`,
  );
}
