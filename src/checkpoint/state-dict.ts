/**
 * Finds the state dict among the contents of a pickle: the right one of nested dicts, and the
 * prefix that its names share.
 */
import { SaeEvalError } from '../errors.js';
import { PickleDict, PickleTuple } from './pickle-values.js';
import { TensorRef } from './torch-globals.js';

export interface FoundStateDict {
  tensors: Map<string, TensorRef>;
  values: Map<string, unknown>;
  prefix: string;
  /** Dotted paths of the tensors beside the state dict, such as an optimizer's. */
  others: string[];
}

const mostDepth = 16;
/** Limits on the paths of nested dicts, which can hold one another many times over. */
const mostVisits = 1_000_000;
const mostPathCharacters = 2 ** 26;
/** Prefixes that DataParallel and torch.compile give to every name. */
const wrappers = ['module.', '_orig_mod.'];
/** Names under which training scripts nest the state dict, the most telling first. */
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

/** Tensors and other leaves of nested dicts, by dotted path. */
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
 * Dict with the model's tensors, or null. The dicts under the usual names come before the dict
 * itself.
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
 * State dict among the contents of a pickle, without the wrappers of its names. All other values
 * are listed under their dotted paths.
 * @throws SaeEvalError `checkpoint-format` if there is no state dict, or if there are several and
 *   none has a usual name.
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
        // Only the dicts on the way to the chosen one are opened; everything else is listed whole.
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

/** Tensors without the `module.` and `_orig_mod.` that all names share, the removed `prefix`. */
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
