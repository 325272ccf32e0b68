/** Finds the state dict among the contents of a pickle: the likeliest of nested dicts. */
import { SaeEvalError } from '../errors.js';
import type { TensorEntry } from './entries.js';
import { viewOfDict, type FileContents } from './contents.js';
import { Leaves, pathPart } from './leaves.js';
import { PickleDict, PickleTuple } from './pickle-values.js';
import type { Checkpoint } from './read.js';
import { TensorRef } from './torch-globals.js';

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

const holdsTensors = (value: unknown): value is PickleDict =>
  value instanceof PickleDict &&
  [...value.entries.values()].some((item) => item instanceof TensorRef);

/**
 * Path of the dict with the model's tensors, or null. The dicts under the usual names come before
 * the dict itself.
 */
function choose(dict: PickleDict, at: string, depth: number): string | null {
  const below = (key: unknown): string => (at === '' ? pathPart(key) : `${at}.${pathPart(key)}`);
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
  if (holdsTensors(dict)) return at;
  const only = nested.filter(([, value]) => holdsTensors(value));
  return only.length === 1 ? below(only[0]![0]) : null;
}

/** What a root without tensors holds, for an error. */
function described(root: unknown): string {
  if (root instanceof TensorRef) return 'a single tensor';
  if (Array.isArray(root) || root instanceof PickleTuple) return 'a list without a dict of tensors';
  if (!(root instanceof PickleDict)) return typeof root;
  const keys = [...root.entries.keys()]
    .filter((key) => typeof key === 'string')
    .slice(0, 8)
    .map((key) => `'${key.slice(0, 60)}'`);
  return keys.length === 0 ? 'an empty dict' : `a dict of ${keys.join(', ')}`;
}

/** Error for a file whose tensors, if there are any, only code could give. */
export function nothingPlain(
  path: string,
  { root, leaves, unknown }: { root: unknown; leaves: Leaves; unknown: string | null },
): SaeEvalError {
  const module = [...leaves.opaque.values()].find(({ isModule }) => isModule);
  if (module !== undefined) return pickledModule(path, module.what);
  if (unknown !== null) return onlyByCode(path, unknown);
  return new SaeEvalError(
    'checkpoint-format',
    `${path}: expected a state_dict (names to tensors), alone or in a dict, found ` +
      `${described(root)}. Save it with torch.save(model.state_dict(), path).`,
  );
}

export const pickledModule = (path: string, name: string): SaeEvalError =>
  new SaeEvalError(
    'checkpoint-module',
    `${path}: holds a pickled module (${name}), which only the code that made it can read. Save ` +
      'its state_dict() instead: torch.save(model.state_dict(), path).',
  );

export const onlyByCode = (path: string, name: string): SaeEvalError =>
  new SaeEvalError(
    'checkpoint-forbidden',
    `${path}: the pickle names '${name}', which is not on the list of what a state_dict needs, ` +
      'and there are no weights apart from it. Nothing was run. Save ' +
      'torch.save(model.state_dict(), path).',
  );

/**
 * The checkpoint in a pickle whose value is `root`: all tensors by dotted path, seen from the
 * likeliest state dict.
 * @param options.entryOf entry of a tensor, which is checked to lie in the file.
 * @param options.unknown name of the first global of the pickle that is not known.
 * @throws SaeEvalError if it holds no tensors: `checkpoint-module`, `checkpoint-forbidden` or
 *   `checkpoint-format`.
 */
export function checkpointOf(
  root: unknown,
  {
    path,
    format,
    unknown,
    entryOf,
  }: {
    path: string;
    format: FileContents['format'];
    unknown: string | null;
    entryOf(name: string, tensor: TensorRef): TensorEntry;
  },
): Checkpoint {
  const leaves = new Leaves(path);
  leaves.add(root, '', 0);
  if (root instanceof TensorRef || leaves.tensors.size === 0)
    throw nothingPlain(path, { root, leaves, unknown });
  const isList = !(root instanceof PickleDict);
  const items = Array.isArray(root) ? root : root instanceof PickleTuple ? root.items : [];
  if (isList && !items.some((item) => item instanceof PickleDict))
    throw nothingPlain(path, { root, leaves, unknown });
  const contents: FileContents = {
    path,
    format,
    tensors: new Map(
      [...leaves.tensors].map(([name, tensor]) => [name, entryOf(name, tensor)] as const),
    ),
    values: leaves.values,
    opaque: leaves.opaque,
  };
  return viewOfDict(contents, isList ? '' : (choose(root, '', 0) ?? ''));
}
