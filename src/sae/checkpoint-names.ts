/** Names in folders that may hold checkpoints. Nothing is read but the folders. */
import { factsIfAny, namesIn as allNamesIn } from '../files/index.js';

/** Files of a folder that may be checkpoints, by their names. */
export const checkpointEnding = /\.(?:pt|pth|bin|ckpt|npz|safetensors)$/i;

const byNumber = new Intl.Collator('en', { numeric: true });

/** Order of names in which `step_2` comes before `step_10`. */
export function byNaturalOrder(a: string, b: string): number {
  return byNumber.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

export interface SearchOptions {
  /** Whether a path may be read: those of a server may not lead outside its roots. */
  mayRead?: (path: string) => boolean;
  /** Most files and folders that are looked at. */
  mostEntries?: number;
}

const passedOver = new Set(['node_modules', '__pycache__']);

/** Names in a folder in natural order, hidden ones left out; none if it cannot be read. */
export function namesIn(folder: string): string[] {
  let names: string[];
  try {
    names = allNamesIn(folder);
  } catch {
    return []; // one that may not be read hides no other
  }
  return names
    .filter((name) => !name.startsWith('.') && !passedOver.has(name))
    .sort(byNaturalOrder);
}

type Sort = 'file' | 'folder' | 'other';

/** The kind of thing that a path leads to; links are followed. */
export function sortOf(path: string): Sort {
  const facts = factsIfAny(path);
  return facts?.isFile() === true ? 'file' : facts?.isDirectory() === true ? 'folder' : 'other';
}
