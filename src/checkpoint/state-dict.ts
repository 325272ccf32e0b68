/**
 * From what a file holds to one state dict: which of nested dicts it is, which prefix its names
 * share.
 */
import { SaeEvalError } from '../errors.js';
import { PickleDict, PickleTuple } from './pickle.js';
import { TensorRef } from './torch-globals.js';

export interface FoundStateDict {
  tensors: Map<string, TensorRef>;
  values: Map<string, unknown>;
  prefix: string;
  /** Dotted paths of the tensors beside the state dict (an optimizer's, for example). */
  others: string[];
}

const mostDepth = 16;
/** Bounds for the paths of nested dicts, which can hold one another many times over. */
const mostVisits = 1_000_000;
const mostPathCharacters = 2 ** 26;
/** What DataParallel and torch.compile put before every name. */
const wrappers = ['module.', '_orig_mod.'];
/** Names under which training scripts nest the state dict, most telling first. */
const usualNames = [
  'state_dict',
  'model_state_dict',
  'model',
  'sae',
  'ae',
  'autoencoder',
  'net',
  'module',
];

type Scalar = string | number | bigint | boolean | null;
const isScalar = (value: unknown): value is Scalar =>
  value === null || ['number', 'string', 'boolean', 'bigint'].includes(typeof value);
const isBranch = (value: unknown): boolean =>
  value instanceof TensorRef ||
  value instanceof PickleDict ||
  value instanceof PickleTuple ||
  Array.isArray(value);

/** Collects leaves by dotted path. */
class Leaves {
  readonly tensors = new Map<string, TensorRef>();
  readonly values = new Map<string, unknown>();
  #visits = 0;
  #characters = 0;

  constructor(readonly file: string) {}

  add(value: unknown, path: string, depth: number): void {
    this.#characters += path.length;
    if (++this.#visits > mostVisits || this.#characters > mostPathCharacters) {
      throw new SaeEvalError(
        'checkpoint-format',
        `${this.file}: more than ${mostVisits} entries in its nested dicts; no state_dict ` +
          'has so many.',
      );
    }
    const below = (key: unknown): string => {
      const name = isScalar(key) ? String(key) : '?';
      return path === '' ? name : `${path}.${name}`;
    };
    if (value instanceof TensorRef) this.tensors.set(path, value);
    else if (isScalar(value)) this.values.set(path, value);
    else if (depth >= mostDepth) return;
    else if (value instanceof PickleDict)
      for (const [key, item] of value.entries) this.add(item, below(key), depth + 1);
    else if (value instanceof PickleTuple || Array.isArray(value)) {
      const items: readonly unknown[] = Array.isArray(value) ? value : value.items;
      if (items.some(isBranch)) items.forEach((item, i) => this.add(item, below(i), depth + 1));
      else if (items.length <= 1024) {
        this.#visits += items.length;
        this.values.set(path, items.filter(isScalar));
      }
    }
  }
}

const holdsTensors = (value: unknown): value is PickleDict =>
  value instanceof PickleDict &&
  [...value.entries.values()].some((item) => item instanceof TensorRef);

/**
 * The dict that is the model's, looked for under the usual names before the dict itself; null where
 * there is none.
 */
function choose(
  dict: PickleDict,
  at: string,
  depth: number,
): { chosen: PickleDict; at: string } | null {
  const below = (key: unknown): string => (at === '' ? String(key) : `${at}.${String(key)}`);
  const nested = [...dict.entries].filter(
    (entry): entry is [string, PickleDict] =>
      typeof entry[0] === 'string' && entry[1] instanceof PickleDict,
  );
  if (depth < 3) {
    for (const name of usualNames) {
      const value = nested.find(([key]) => key === name)?.[1];
      const found = value === undefined ? null : choose(value, below(name), depth + 1);
      if (found !== null) return found;
    }
  }
  if (holdsTensors(dict)) return { chosen: dict, at };
  const only = nested.filter(([, value]) => holdsTensors(value));
  return only.length === 1 ? { chosen: only[0]![1], at: below(only[0]![0]) } : null;
}

/**
 * The state dict among what a pickle holds. Everything that is no tensor is listed under its dotted
 * path.
 * @throws SaeEvalError `checkpoint-format` where there is no state dict or more than one and no
 *   usual name tells which.
 */
export function findStateDict(root: unknown, file: string): FoundStateDict {
  if (!(root instanceof PickleDict)) {
    throw new SaeEvalError(
      'checkpoint-format',
      `${file}: expected a state_dict, found ` +
        (root instanceof TensorRef
          ? 'a single tensor'
          : Array.isArray(root)
            ? 'a list'
            : typeof root) +
        '. Save it with torch.save(model.state_dict(), path).',
    );
  }
  const found = choose(root, '', 0);
  if (found === null) {
    const keys = [...root.entries.keys()]
      .filter((key) => typeof key === 'string')
      .slice(0, 8)
      .map((key) => `'${key.slice(0, 60)}'`)
      .join(', ');
    throw new SaeEvalError(
      'checkpoint-format',
      `${file}: expected a state_dict (names to tensors), alone or under one of ` +
        `${usualNames.map((name) => `'${name}'`).join(', ')}; found ` +
        `${keys === '' ? 'an empty dict' : `a dict of ${keys}`}.`,
    );
  }
  const { chosen, at } = found;
  const leaves = new Leaves(file);
  leaves.add(chosen, '', 0);
  const others = new Leaves(file);
  if (chosen !== root) {
    const beside = (dict: PickleDict, path: string, depth: number): void => {
      for (const [key, value] of dict.entries) {
        const below = `${path}${isScalar(key) ? String(key) : '?'}`;
        if (value === chosen) continue;
        // The dicts on the way to the chosen one are gone through; the rest is listed as it lies.
        if (value instanceof PickleDict && at.startsWith(`${below}.`) && depth < mostDepth)
          beside(value, `${below}.`, depth + 1);
        else others.add(value, below, depth + 1);
      }
    };
    beside(root, '', 0);
  }
  const { tensors, prefix } = withoutWrappers(leaves.tensors);
  return {
    tensors,
    values: new Map([...leaves.values, ...others.values]),
    prefix: (at === '' ? '' : `${at}.`) + prefix,
    others: [...others.tensors.keys()],
  };
}

/**
 * The same tensors without `module.` and `_orig_mod.`, where all names have them; `prefix` is what
 * was taken off.
 */
export function withoutWrappers<T>(named: ReadonlyMap<string, T>): {
  tensors: Map<string, T>;
  prefix: string;
} {
  let tensors = new Map(named);
  let prefix = '';
  for (;;) {
    const shared = wrappers.find(
      (wrapper) =>
        tensors.size > 0 &&
        [...tensors.keys()].every(
          (name) => name.length > wrapper.length && name.startsWith(wrapper),
        ),
    );
    if (shared === undefined || prefix.length > 256) return { tensors, prefix };
    tensors = new Map([...tensors].map(([name, tensor]) => [name.slice(shared.length), tensor]));
    prefix += shared;
  }
}
