/** Check for functions that must be synchronous: scopes and modes end when they return. */
import { TorchError } from './errors.js';

/**
 * @throws TorchError `torch-argument` if `result` is a promise, whose own error is then dropped.
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
