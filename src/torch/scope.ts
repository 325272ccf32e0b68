/**
 * Scopes free the tensors that were made inside them. They keep memory flat in loops that never let
 * the garbage collector run.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { native, onLoad } from './native.js';
import { refusePromise } from './synchronous.js';
import { isTensor, type Tensor } from './tensor.js';

/** The tensors in a value; every object is visited once. */
function tensorsIn(value: unknown): Tensor[] {
  if (isTensor(value)) return [value];
  const found: Tensor[] = [];
  const seen = new Set<unknown>();
  const waiting = [value];
  for (let next = waiting.pop(); waiting.length > 0 || next !== undefined; next = waiting.pop()) {
    if (next === null || typeof next !== 'object' || seen.has(next)) continue;
    seen.add(next);
    if (isTensor(next)) found.push(next);
    else if (Array.isArray(next)) for (const item of next) waiting.push(item);
    else if (next instanceof Map) for (const item of next.values()) waiting.push(item);
    else if (
      Object.getPrototypeOf(next) === Object.prototype ||
      Object.getPrototypeOf(next) === null
    )
      for (const item of Object.values(next)) waiting.push(item);
  }
  return found;
}

/**
 * Runs `body` and frees every tensor made inside, except those that it returns: a Tensor, or
 * arrays, plain objects and Maps of Tensors. These pass to the enclosing scope. If `body` throws,
 * all are freed.
 *
 * `body` must be synchronous; {@link asyncScope} takes asynchronous functions.
 * @throws TorchError `torch-argument` if `body` returns a promise.
 */
export function scope<T>(body: () => T extends PromiseLike<unknown> ? never : T): T {
  native().openScope();
  let kept: Tensor[] = [];
  try {
    const result = body();
    refusePromise(result, 'scope', 'asyncScope() takes asynchronous functions');
    kept = tensorsIn(result);
    return result;
  } finally {
    native().closeScope(kept);
  }
}

/**
 * Runs `body`, and frees the tensors made inside only if it throws: an object that owns tensors is
 * made whole or leaves none behind. Else they pass to the enclosing scope; without one they live
 * until they are disposed of. `body` must be synchronous.
 * @throws TorchError `torch-argument` if `body` returns a promise.
 */
export function freedIfThrown<T>(body: () => T extends PromiseLike<unknown> ? never : T): T {
  native().openScope();
  let kept: Tensor[] | null = [];
  try {
    const result = body();
    refusePromise(result, 'freedIfThrown', 'it takes no asynchronous functions');
    kept = null;
    return result;
  } finally {
    native().closeScope(kept);
  }
}

const asyncScopes = new AsyncLocalStorage<number>();
onLoad((addon) => addon.setCurrentAsyncScope(() => asyncScopes.getStore() ?? 0));

/**
 * {@link scope} for asynchronous code: tensors made by `body` and the code that it awaits are freed
 * when its promise settles, except those in its result. Several may be open at once.
 */
export async function asyncScope<T>(body: () => Promise<T>): Promise<T> {
  const number = native().openAsyncScope();
  let kept: Tensor[] = [];
  try {
    const result = await asyncScopes.run(number, body);
    kept = tensorsIn(result);
    return result;
  } finally {
    native().closeAsyncScope(number, kept);
  }
}

/**
 * A scope that is entered again and again: tensors that are made in its runs, outside of scopes of
 * their own, live until it is disposed of.
 */
export class HeldScope {
  readonly #number = native().openAsyncScope();

  run<T>(body: () => T): T {
    return asyncScopes.run(this.#number, body);
  }

  dispose(): void {
    native().closeAsyncScope(this.#number, []);
  }
}

/** Takes a tensor out of its scopes, so that it lives until it is disposed of. Returns it. */
export function keep(tensor: Tensor): Tensor {
  return native().keep(tensor);
}
