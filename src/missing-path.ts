/** The error of a path that leads nowhere: what lies there instead, and what was probably meant. */
import { basename, dirname, join, normalize } from 'node:path';
import { SaeEvalError } from './errors.js';
import { confinedTo, factsIfAny, namesIn as allNamesIn } from './files/index.js';
import { fetchCommand, parseHubName, type HubThing } from './hub-name.js';
import { nearestName } from './nearest-name.js';

export interface MissingPathOptions {
  /** The thing that was expected there. Default `file or folder`. */
  what?: string;
  /** Type of the hub's repositories for which `org/name` may stand. */
  hub?: HubThing;
  /** Clause on where else it was looked for, if it may be such a repository. */
  besides?: string;
}

/** Neighbors that are named. */
const mostNamed = 8;

/** Names in a folder, hidden ones left out; null if there is no such folder. */
function namesIn(folder: string): string[] | null {
  try {
    return allNamesIn(folder)
      .filter((name) => !name.startsWith('.'))
      .sort();
  } catch {
    return null;
  }
}

/** The first part of a path that is not there, and the folder it should be in. */
function brokenAt(path: string): { folder: string; name: string; isLast: boolean } {
  let [folder, name] = [dirname(path), basename(path)];
  const last = name;
  while (factsIfAny(folder) === null && dirname(folder) !== folder)
    [folder, name] = [dirname(folder), basename(folder)];
  return { folder, name, isLast: name === last && folder === dirname(path) };
}

/** The names in a folder as a clause, or only the one that was probably meant. */
function neighbors(path: string, { nearOnly }: { nearOnly: boolean }): string {
  // Whoever asks a server is not told what lies in folders that were not named.
  if (confinedTo() !== null) return '';
  const { folder, name, isLast } = brokenAt(path);
  const names = namesIn(folder);
  const shownFolder = folder === '.' ? 'this folder' : folder;
  const meant = nearestName(name, names ?? []);
  if (nearOnly && meant === null) return '';
  if (names === null) return `: ${shownFolder} is no folder`;
  const missing = isLast ? '' : `: ${shownFolder} has no ${name}`;
  if (meant !== null) return `${missing}; did you mean ${join(folder, meant)}?`;
  if (!isLast) return missing;
  if (names.length === 0) return `; ${shownFolder} is empty`;
  const shown = names.slice(0, mostNamed).join(', ');
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  return `; ${shownFolder} has ${shown}${more}`;
}

const fileEnding = /\.(?:pt|pth|bin|ckpt|npz|safetensors|jsonl?|parquet|txt|gz|zst|ya?ml|arrow)$/i;

/**
 * Sentence with the command that would fetch what may be a repository of the Hugging Face hub;
 * empty if the path cannot name one.
 */
export function fetchAdvice(path: string, hub: HubThing): string {
  const name = parseHubName(path);
  if (name === null || fileEnding.test(name.repository)) return '';
  // Repositories without an owner are old models and data sets.
  if (!name.repository.includes('/') && hub === 'SAE') return '';
  return (
    '. Nothing is downloaded: if it is on the Hugging Face hub, fetch it first with ' +
    `\`${fetchCommand(name, hub)}\``
  );
}

/** Whether the first folder of a path is there, so that the path names no repository of the hub. */
function isBegun(path: string): boolean {
  const [owner, name] = path.split('/');
  // Only a name of the hub has a colon.
  return !path.includes(':') && name !== undefined && factsIfAny(owner!) !== null;
}

/**
 * The error of a path that does not exist, as the user typed it. It names what lies beside it; for
 * what may be a repository of the Hugging Face hub, the command that fetches it.
 */
export function missingPath(
  path: string,
  { what = 'file or folder', hub, besides = '' }: MissingPathOptions = {},
): SaeEvalError {
  const advice = hub === undefined || isBegun(path) ? '' : fetchAdvice(path, hub);
  const beside = neighbors(normalize(path), { nearOnly: advice !== '' });
  return new SaeEvalError(
    'file-not-found',
    `${path}: there is no such ${what}${advice === '' ? '' : besides}${beside}${advice}`,
  );
}
