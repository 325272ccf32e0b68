/**
 * Models in the local Hugging Face cache, by name. Nothing is downloaded. The cache has a folder
 * `models--org--name` for each model; `refs/<revision>` in it names a commit, and the files of the
 * commit lie in `snapshots/<commit>`.
 */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { missingPath } from './missing-path.js';

/**
 * `org/name` (or `name` alone, as for the oldest models), with `@revision` (a branch, tag or
 * commit) if the revision is not `main`.
 */
const modelName = /^((?:[\w-][\w.-]*\/)?[\w-][\w.-]*)(?:@([\w-][\w./-]*))?$/;

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Folder in which huggingface_hub keeps its downloads. */
export function hubCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = env;
  return (
    HF_HUB_CACHE ??
    HUGGINGFACE_HUB_CACHE ??
    join(HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface'), 'hub')
  );
}

/** Name of the model in a folder of the cache, such as `org/name`; null for any other folder. */
export function modelOfCacheFolder(folder: string): string | null {
  const prefix = 'models--';
  return folder.startsWith(prefix) ? folder.slice(prefix.length).replace('--', '/') : null;
}

/** Snapshot of a model in the cache; null if the cache has no such model and revision. */
export function findInHubCache(
  name: string,
  { hub = hubCacheFolder() }: { hub?: string } = {},
): string | null {
  const [, repository, revision = 'main'] = modelName.exec(name) ?? [];
  if (repository === undefined || name.includes('..')) return null;
  const folder = join(hub, `models--${repository.replace('/', '--')}`);
  let commit = revision;
  try {
    commit = readFileSync(join(folder, 'refs', revision), 'utf8').trim();
  } catch {
    // a commit has no ref of its own
  }
  const snapshot = join(folder, 'snapshots', commit);
  return /^[\w-]+$/.test(commit) && isFolder(snapshot) ? snapshot : null;
}

/**
 * Folder of a model: the path itself if it is a folder, else the snapshot of that name in the
 * cache.
 * @throws SaeEvalError `file-not-found`.
 */
export function locateModel(path: string): string {
  const found = isFolder(path) ? path : findInHubCache(path);
  if (found !== null) return found;
  throw missingPath(path, {
    what: 'folder of a language model',
    hub: 'model',
    besides: `, nor a model of that name in ${hubCacheFolder()}`,
  });
}
