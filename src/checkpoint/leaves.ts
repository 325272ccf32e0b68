/** Tensors, values and opaque objects in the nested containers of a pickle, by dotted path. */
import { SaeEvalError } from '../errors.js';
import { OddTensor } from './odd-tensors.js';
import { Opaque, PickleDict, PickleTuple } from './pickle-values.js';
import { TensorRef } from './torch-globals.js';

/** Object in a file that is named and never made. */
export interface OpaqueValue {
  /** What it is: the name of its class, or `a sparse tensor (torch.sparse_coo)`. */
  what: string;
  /** Sizes, if it is a tensor whose sizes are known. */
  shape: readonly number[] | null;
  isTensor: boolean;
  /** Whether it is a pickled `torch.nn.Module`. */
  isModule: boolean;
  /** Whether there are tensors in it that only its code could give. */
  holdsTensors: boolean;
}

const mostDepth = 16;
/** Limits on the paths of nested dicts, which can hold one another many times over. */
const mostVisits = 1_000_000;
const mostPathCharacters = 2 ** 26;
/** Most values that are looked at inside opaque objects. */
const mostLooks = 5_000_000;
/** Most opaque objects that are listed. */
const mostOpaque = 10_000;

type Scalar = string | number | bigint | boolean | null;
const isScalar = (value: unknown): value is Scalar =>
  value === null || ['number', 'string', 'boolean', 'bigint'].includes(typeof value);
const isBranch = (value: unknown): boolean =>
  value instanceof TensorRef ||
  value instanceof PickleDict ||
  value instanceof PickleTuple ||
  value instanceof Opaque ||
  Array.isArray(value);

/** Part of a path: a key of a dict as Python prints it, or `?` for keys that are no scalars. */
export const pathPart = (key: unknown): string => (isScalar(key) ? String(key) : '?');

/** Values directly in a container. */
function* inside(value: unknown): Iterable<unknown> {
  if (value instanceof PickleDict) yield* value.entries.values();
  else if (value instanceof PickleTuple) yield* value.items;
  else if (value instanceof Opaque) {
    yield* value.contents;
    yield* value.items.entries.values();
  } else if (Array.isArray(value) || value instanceof Set) yield* value as Iterable<unknown>;
}

export class Leaves {
  readonly tensors = new Map<string, TensorRef>();
  readonly values = new Map<string, unknown>();
  readonly opaque = new Map<string, OpaqueValue>();
  #visits = 0;
  #looks = 0;
  #characters = 0;

  constructor(readonly file: string) {}

  #visit(count = 1): void {
    this.#visits += count;
    if (this.#visits > mostVisits || this.#characters > mostPathCharacters)
      throw new SaeEvalError(
        'checkpoint-format',
        `${this.file}: more than ${mostVisits} entries in its nested dicts; no state_dict ` +
          'has so many.',
      );
  }

  /** Whether a tensor is found in the object, however deep, before the looks are used up. */
  #holdsTensors(object: Opaque): boolean {
    const seen = new Set<unknown>([object]);
    for (const value of seen) {
      if (value instanceof TensorRef) return true;
      for (const item of inside(value)) {
        if (++this.#looks > mostLooks) return false;
        if (typeof item === 'object' && item !== null) seen.add(item);
      }
    }
    return false;
  }

  #addOpaque(object: Opaque, path: string, depth: number): void {
    if (this.opaque.size < mostOpaque) {
      const isTensor = object instanceof OddTensor;
      this.opaque.set(path, {
        what: object.name,
        shape: isTensor ? object.shape : null,
        isTensor,
        isModule: object.isModule,
        holdsTensors: !isTensor && this.#holdsTensors(object),
      });
    }
    // The items of a subclass of dict are plain to see, whatever else it does.
    if (object.items.entries.size > 0) this.add(object.items, path, depth);
  }

  /**
   * Adds a value and all that is in it. @throws SaeEvalError `checkpoint-format` if it is too much.
   */
  add(value: unknown, path: string, depth: number): void {
    this.#characters += path.length;
    this.#visit();
    const below = (key: unknown): string =>
      path === '' ? pathPart(key) : `${path}.${pathPart(key)}`;
    if (value instanceof TensorRef) this.tensors.set(path, value);
    else if (isScalar(value)) this.values.set(path, value);
    else if (value instanceof Opaque) this.#addOpaque(value, path, depth);
    else if (depth >= mostDepth) return;
    else if (value instanceof PickleDict)
      for (const [key, item] of value.entries) this.add(item, below(key), depth + 1);
    else if (value instanceof PickleTuple || Array.isArray(value)) {
      const items: readonly unknown[] = Array.isArray(value) ? value : value.items;
      if (items.some(isBranch)) items.forEach((item, i) => this.add(item, below(i), depth + 1));
      else if (items.length <= 1024) {
        this.#visit(items.length);
        this.values.set(path, items.filter(isScalar));
      }
    }
  }
}
