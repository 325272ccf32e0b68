/** The parts in which paths differ: labels of the SAEs that one field of a request names. */
import { checkpointEnding } from '../../../sae/checkpoint-names.js';

/** Longest label of a request. */
const longest = 200;

const isSame = (values: readonly (string | undefined)[]): boolean =>
  values.every((value) => value === values[0]);

/** Names of a path that others of the same depth do not share; the last one always stays. */
function ofEqualDepth(all: readonly string[][]): string[][] {
  const differing = all[0]!.flatMap((_, at) => (isSame(all.map((names) => names[at])) ? [] : [at]));
  return all.map((names) => differing.map((at) => names[at]!));
}

/** Paths without the names that all begin and end with. */
function ofAnyDepth(all: readonly string[][]): string[][] {
  const shortest = Math.min(...all.map((names) => names.length));
  let [begin, end] = [0, 0];
  while (begin < shortest - 1 && isSame(all.map((names) => names[begin]))) begin++;
  while (end < shortest - begin - 1 && isSame(all.map((names) => names.at(-1 - end)))) end++;
  return all.map((names) => names.slice(begin, names.length - end));
}

const withoutEnding = (text: string): string => text.replace(checkpointEnding, '');

/** A label that fits: the end of a path tells more than its beginning. */
const shortened = (text: string): string =>
  text.length <= longest ? text : `…${text.slice(1 - longest)}`;

/**
 * A label for each path, all different for different paths: the names in which the paths differ,
 * without the ending of a file if that leaves them different.
 */
export function differencesOf(paths: readonly string[]): string[] {
  const all = paths.map((path) => path.split('/').filter((name) => name !== '' && name !== '.'));
  if (new Set(paths).size < 2) return all.map((names) => shortened(withoutEnding(names.at(-1)!)));
  const isEven = isSame(all.map((names) => String(names.length)));
  const told = (isEven ? ofEqualDepth(all) : ofAnyDepth(all)).map((names) => names.join('/'));
  const bare = told.map(withoutEnding);
  const differ = new Set(bare).size === new Set(told).size && !bare.includes('');
  return (differ ? bare : told).map(shortened);
}
