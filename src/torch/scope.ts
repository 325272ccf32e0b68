/** Scopes free what was made inside them: what keeps memory flat in loops that never let the garbage collector run. */
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
 * `body` must be synchronous: a promise would be freed under the code that awaits it.
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

/** Takes a tensor out of the scopes it was made in: it lives until it is disposed. Returns it. */
export function keep(tensor: Tensor): Tensor {
  return native.keep(tensor);
}
