/** All that is in a checkpoint file, and the view of one state dict in it. */
import type { TensorEntry } from './entries.js';
import type { OpaqueValue } from './leaves.js';
import type { Checkpoint } from './read.js';
import { unwrapped, withoutWrappers, wrappedPrefix } from './wrapper-names.js';

/** Contents of a file by dotted path from its root. */
export interface FileContents {
  path: string;
  format: 'pt-zip' | 'pt-legacy' | 'safetensors' | 'npz';
  tensors: ReadonlyMap<string, TensorEntry>;
  values: ReadonlyMap<string, unknown>;
  opaque: ReadonlyMap<string, OpaqueValue>;
}

/** By the names below a prefix; what does not begin with it keeps its whole path. */
function relative<T>(
  all: ReadonlyMap<string, T>,
  prefix: string,
): { inside: Map<string, T>; outside: Map<string, T> } {
  const inside = new Map<string, T>();
  const outside = new Map<string, T>();
  for (const [path, value] of all)
    if (path.startsWith(prefix)) inside.set(path.slice(prefix.length), value);
    else outside.set(path, value);
  return { inside, outside };
}

function view(
  contents: FileContents,
  {
    tensors,
    prefix,
    others,
  }: { tensors: Map<string, TensorEntry>; prefix: string; others: string[] },
  at: string,
): Checkpoint {
  const named = <T>(all: ReadonlyMap<string, T>): Map<string, T> => {
    const { inside, outside } = relative(all, at);
    return new Map([...outside, ...inside]);
  };
  return {
    path: contents.path,
    format: contents.format,
    entries: new Map([...tensors].map(([name, entry]) => [name, { ...entry, name }])),
    values: named(contents.values),
    opaque: named(contents.opaque),
    prefix,
    others,
    contents,
  };
}

/**
 * View of the dict at a path (empty for the root), without the wrappers that all of its names begin
 * with.
 */
export function viewOfDict(contents: FileContents, at: string): Checkpoint {
  const prefix = at === '' ? '' : `${at}.`;
  const { inside, outside } = relative(contents.tensors, prefix);
  const { tensors, prefix: wrapper } = withoutWrappers(inside);
  return view(contents, { tensors, prefix: prefix + wrapper, others: [...outside.keys()] }, prefix);
}

/** The value that occurs most often, the first of several. */
function mostFrequent(values: Iterable<string>): string | null {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let best: [string, number] | null = null;
  for (const entry of counts) if (best === null || entry[1] > best[1]) best = entry;
  return best?.[0] ?? null;
}

/**
 * View of the tensors whose unwrapped names begin with a prefix, under the rest of these names. A
 * name that two tensors would have goes to the first; the other keeps its own.
 */
export function viewBelow(contents: FileContents, prefix: string): Checkpoint {
  const tensors = new Map<string, TensorEntry>();
  const others: string[] = [];
  const removed: string[] = [];
  const opaque = new Map<string, OpaqueValue>();
  for (const [path, entry] of contents.tensors) {
    const name = unwrapped(path);
    if (!name.startsWith(prefix)) {
      others.push(path);
      continue;
    }
    const rest = name.slice(prefix.length);
    tensors.set(tensors.has(rest) ? path : rest, entry);
    removed.push(wrappedPrefix(path, prefix.length));
  }
  for (const [path, value] of contents.opaque) {
    const name = unwrapped(path);
    opaque.set(name.startsWith(prefix) ? name.slice(prefix.length) : path, value);
  }
  const at = mostFrequent(removed) ?? prefix;
  return { ...view(contents, { tensors, prefix: at, others }, at), opaque };
}
