/** Finds the folder of a language model: a path, or a name in the local Hugging Face cache. */
import { stat } from 'node:fs/promises';
import { SaeEvalError } from '../errors.js';
import { findInHubCache, hubCacheFolder, isHubName } from '../hub-cache.js';

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/**
 * The folder of a model: `path` itself if it is one, else the cache's snapshot of that name.
 * @throws SaeEvalError `file-not-found`.
 */
export async function locateModel(path: string): Promise<string> {
  if (await isFolder(path)) return path;
  const found = findInHubCache(path);
  if (found !== null) return found;
  const inCache = isHubName(path)
    ? `, nor is there a model of that name in ${hubCacheFolder()}`
    : '';
  throw new SaeEvalError(
    'file-not-found',
    `${path}: there is no such folder of a language model${inCache}.`,
  );
}
