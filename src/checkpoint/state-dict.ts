/** From what a file holds to one state dict: which of nested dicts it is, which prefix its names share. */
import { SaeEvalError } from '../errors.js';
import { PickleDict, PickleTuple } from './pickle.js';
import { TensorRef } from './torch-globals.js';

export interface FoundStateDict {
  tensors: Map<string, TensorRef>;
  values: Map<string, unknown>;
  prefix: string;
}

const mostDepth = 16;
const mostLeaves = 1_000_000;
const wrappers = ['module.', '_orig_mod.'];

/** Names under which training scripts nest the state dict, most telling first. */
const usualNames = ['state_dict', 'model_state_dict', 'model', 'sae', 'ae', 'autoencoder', 'net'];

interface Leaves {
  tensors: Map<string, TensorRef>;
  values: Map<string, unknown>;
  visited: number;
}

/** Leaves by dotted path. Dicts that hold one another many times over would make more paths than memory holds. */
function flatten(value: unknown, path: string, depth: number, into: Leaves): void {
  if (++into.visited > mostLeaves) throw new SaeEvalError('checkpoint-format', `more than ${mostLeaves} entries in nested dicts; a state_dict has none of them.`);
  if (value instanceof TensorRef) into.tensors.set(path, value);
  else if (value instanceof PickleDict && depth < mostDepth) {
    for (const [key, item] of value.entries) flatten(item, path === '' ? String(key) : `${path}.${String(key)}`, depth + 1, into);
  } else if ((Array.isArray(value) || value instanceof PickleTuple) && depth < mostDepth) {
    const items = Array.isArray(value) ? value : value.items;
    if (items.some((item) => item instanceof TensorRef || item instanceof PickleDict)) items.forEach((item, i) => flatten(item, `${path}.${i}`, depth + 1, into));
    else if (items.length <= 1024) into.values.set(path, items);
  } else if (value === null || ['number', 'string', 'boolean', 'bigint'].includes(typeof value)) into.values.set(path, value);
}

const holdsTensors = (value: unknown): boolean => value instanceof PickleDict && [...value.entries.values()].some((item) => item instanceof TensorRef);

/** The dict that is the model's among the root's entries. */
function choose(root: PickleDict, file: string): { chosen: PickleDict; at: string } {
  if (holdsTensors(root)) return { chosen: root, at: '' };
  const nested = [...root.entries].filter((entry): entry is [string, PickleDict] => entry[1] instanceof PickleDict);
  for (const name of usualNames) {
    const found = nested.find(([key]) => key === name);
    if (found === undefined) continue;
    if (holdsTensors(found[1])) return { chosen: found[1], at: name };
    const inner = [...found[1].entries].find(([key, value]) => key === 'state_dict' && holdsTensors(value));
    if (inner !== undefined) return { chosen: inner[1] as PickleDict, at: `${name}.state_dict` };
  }
  const candidates = nested.filter(([, value]) => holdsTensors(value));
  if (candidates.length === 1) return { chosen: candidates[0]![1], at: candidates[0]![0] };
  throw new SaeEvalError('checkpoint-format', `${file}: expected a state_dict (names to tensors), alone or under one of ${usualNames.map((name) => `'${name}'`).join(', ')}; found ${nested.length === 0 ? 'no dict of tensors' : nested.map(([key]) => `'${key}'`).join(', ')}.`);
}

/** The state dict among what a pickle holds; everything else that is not a tensor is listed under its dotted path. */
export function findStateDict(root: unknown, file: string): FoundStateDict {
  if (!(root instanceof PickleDict)) {
    throw new SaeEvalError('checkpoint-format', `${file}: expected a state_dict, found ${root instanceof TensorRef ? 'a single tensor' : Array.isArray(root) ? 'a list' : typeof root}. Save it with torch.save(model.state_dict(), path).`);
  }
  const { chosen, at } = choose(root, file);
  const found: Leaves = { tensors: new Map(), values: new Map(), visited: 0 };
  flatten(chosen, '', 0, found);
  if (chosen !== root) {
    const others: Leaves = { tensors: new Map(), values: new Map(), visited: 0 };
    for (const [key, value] of root.entries) if (value !== chosen) flatten(value, String(key), 1, others);
    for (const [path, value] of others.values) found.values.set(path, value);
  }
  let prefix = at === '' ? '' : `${at}.`;
  let tensors = found.tensors;
  for (let wrapper = sharedWrapper(tensors); wrapper !== null; wrapper = sharedWrapper(tensors)) {
    const stripped: string = wrapper;
    tensors = new Map([...tensors].map(([name, tensor]) => [name.slice(stripped.length), tensor]));
    prefix += stripped;
  }
  return { tensors, values: found.values, prefix };
}

function sharedWrapper(tensors: ReadonlyMap<string, unknown>): string | null {
  return tensors.size === 0 ? null : (wrappers.find((wrapper) => [...tensors.keys()].every((name) => name.startsWith(wrapper))) ?? null);
}
