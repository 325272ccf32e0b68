/**
 * Patterns of paths, such as `runs/*\/ae.pt`: the folder in which one begins, and what it matches
 * below. `*`, `?`, `[…]` and `{…}` stay within a name; `**` is any number of folders.
 */
import { join, relative } from 'node:path';
import picomatch from 'picomatch';
import { SaeEvalError } from '../../../errors.js';
import { parseHubName } from '../../../hub-name.js';
import { namesIn, sortOf, type SearchOptions } from '../../../sae/checkpoint-names.js';

const wild = /[*?[{]/;

export interface SplitPattern {
  /** Path before the first wildcard; the whole path if it has none. */
  base: string;
  /** Names and wildcards behind it. */
  rest: readonly string[];
}

/** A pattern in the parts that lie before and behind its first wildcard. */
export function splitPattern(pattern: string): SplitPattern {
  const first = pattern.search(wild);
  if (first < 0) return { base: pattern.replace(/(.)\/+$/, '$1'), rest: [] };
  // `org/name:*` begins in a repository of the hub.
  const cut = Math.max(pattern.lastIndexOf('/', first), pattern.lastIndexOf(':', first));
  const base = cut < 0 ? '.' : cut === 0 ? '/' : pattern.slice(0, cut);
  const rest = pattern
    .slice(cut + 1)
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  return { base, rest };
}

/**
 * A path below a folder as a request names it.
 * @param base what was typed for the folder.
 * @param real where the folder lies.
 */
export function nameBelow(base: string, real: string, path: string): string {
  const below = relative(real, path);
  if (below === '') return base;
  // A repository of the hub and a path in it are told apart by a colon.
  const isRepository = sortOf(base) === 'other' && parseHubName(base)?.path === null;
  return isRepository ? `${base}:${below}` : join(base, below);
}

/** Files and folders that are looked at, at most. */
const mostLooks = 100_000;

/**
 * Paths below a folder that the parts of a pattern match, in natural order.
 * @throws SaeEvalError `request-invalid` for `..` behind a wildcard, or too much to look at.
 */
export function matches(
  folder: string,
  rest: readonly string[],
  { mayRead = () => true }: SearchOptions = {},
): string[] {
  if (rest.includes('..'))
    throw new SaeEvalError('request-invalid', "expected no '..' behind a wildcard");
  const found = new Set<string>();
  let looks = 0;
  const look = (names: readonly string[]): readonly string[] => {
    looks += names.length;
    if (looks > mostLooks)
      throw new SaeEvalError(
        'request-invalid',
        `expected at most ${mostLooks} files and folders to look at, found more: begin the ` +
          'pattern in a folder that lies deeper',
      );
    return names;
  };
  const walk = (at: string, [part, ...others]: readonly string[]): void => {
    if (part === undefined) {
      if (mayRead(at) && sortOf(at) !== 'other') found.add(at);
      return;
    }
    if (!wild.test(part)) return walk(join(at, part), others);
    if (!mayRead(at) || sortOf(at) !== 'folder') return;
    if (part === '**') {
      walk(at, others);
      for (const name of look(namesIn(at))) {
        const inner = join(at, name);
        if (mayRead(inner) && sortOf(inner) === 'folder') walk(inner, [part, ...others]);
        else if (others.length === 0) walk(inner, []);
      }
      return;
    }
    const isMatch = picomatch(part, { noextglob: true, nonegate: true, nobracket: false });
    for (const name of look(namesIn(at))) if (isMatch(name)) walk(join(at, name), others);
  };
  walk(folder, rest);
  return [...found];
}
