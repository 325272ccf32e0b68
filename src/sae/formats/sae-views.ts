/**
 * Finds the SAEs among the tensors of a file: under any path of nested dicts, any prefix and any
 * wrappers of names, beside anything else.
 */
import { viewBelow, type FileContents } from '../../checkpoint/contents.js';
import { weightOfPart, withWeights } from '../../checkpoint/parametrizations.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { unwrapped } from '../../checkpoint/wrapper-names.js';
import { encoderNames } from './plain-tensors.js';

/** Most tensors that are looked at, over all prefixes of a file. */
const mostLooks = 5_000_000;

const endings = [...encoderNames, 'encoder.0.weight', 'encoder.weight_orig'].map((name) => [
  name,
  `.${name}`,
]);

/** What stands before the name of an encoder; null for names of other tensors. */
function beforeEncoder(name: string): string | null {
  for (const [whole, ending] of endings) {
    if (name === whole) return '';
    if (name.endsWith(ending!)) return name.slice(0, name.length - whole!.length);
  }
  return null;
}

/** The prefix itself and what remains of it without its last parts. */
function* withParents(prefix: string): Iterable<string> {
  yield prefix;
  for (let at = prefix; at !== '';) {
    at = at.slice(0, at.slice(0, -1).lastIndexOf('.') + 1);
    yield at;
  }
}

/** Prefixes of unwrapped names below which an SAE may lie, outer ones first. */
function possiblePrefixes({ tensors, opaque }: FileContents): string[] {
  const found = new Set<string>();
  const most = Math.max(16, Math.floor(mostLooks / Math.max(1, tensors.size)));
  for (const path of [...tensors.keys(), ...opaque.keys()]) {
    const name = unwrapped(path);
    const before = beforeEncoder(weightOfPart(name) ?? name);
    if (before !== null && found.size < most)
      for (const prefix of withParents(before)) found.add(prefix);
  }
  return [...found].sort((a, b) => a.split('.').length - b.split('.').length);
}

/** Views of a file, one for each prefix below which an SAE may lie. */
export function saeViews(contents: FileContents): Checkpoint[] {
  return possiblePrefixes(contents).map((prefix) => withWeights(viewBelow(contents, prefix)));
}

/** A prefix as a request may write it: without wrappers and the last dot. */
export const plainPrefix = (prefix: string): string =>
  unwrapped(`${prefix.replace(/\.$/, '')}.x`).slice(0, -2);
