/** Scopes free what was made inside them: what keeps memory flat in loops that never let the garbage collector run. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { native } from './native.js';
import { isTensor, type Tensor } from './tensor.js';

function collectTensors(value: unknown, into: Tensor[]): void {
  if (value === null || typeof value !== 'object') return;
  if (isTensor(value)) into.push(value);
  else if (Array.isArray(value)) for (const item of value) collectTensors(item, into);
  else if (value instanceof Map) for (const item of value.values()) collectTensors(item, into);
  else if (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null) {
    for (const item of Object.values(value)) collectTensors(item, into);
  }
}

/**
 * Runs `body` and frees every tensor made inside, except those it returns (a Tensor, or arrays, plain objects and Maps
 * of them), which pass to the scope around it. Where `body` throws, everything made inside is freed.
 *
 * `body` must be synchronous: a promise would be freed under the code that awaits it; {@link asyncScope} takes others.
 */
export function scope<T>(body: () => T extends PromiseLike<unknown> ? never : T): T {
  native.openScope();
  let kept: Tensor[] = [];
  try {
    const result = body();
    kept = [];
    collectTensors(result, kept);
    return result;
  } finally {
    native.closeScope(kept);
  }
}

const asyncScopes = new AsyncLocalStorage<number>();
native.setCurrentAsyncScope(() => asyncScopes.getStore() ?? 0);

/**
 * {@link scope} for asynchronous code: what `body` and the code it awaits make is freed when its promise settles, except what
 * that resolves to. Several may be open at once, each knows its own.
 */
export async function asyncScope<T>(body: () => Promise<T>): Promise<T> {
  const number = native.openAsyncScope();
  let kept: Tensor[] = [];
  try {
    const result = await asyncScopes.run(number, body);
    kept = [];
    collectTensors(result, kept);
    return result;
  } finally {
    native.closeAsyncScope(number, kept);
  }
}

/** Takes a tensor out of the scopes it was made in: it lives until it is disposed. Returns it. */
export function keep(tensor: Tensor): Tensor {
  return native.keep(tensor);
}
