/**
 * Models, SAEs and texts in the local Hugging Face cache, by name. Nothing is downloaded. The cache
 * has a folder `models--org--name` or `datasets--org--name` for each repository;
 * `refs/<revision>` in it names a commit, and the files of the commit lie in `snapshots/<commit>`.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { factsIfAny, isFolder, isThere } from './files/index.js';
import { parseHubName, type HubThing } from './hub-name.js';
import { missingPath } from './missing-path.js';

export type { HubThing } from './hub-name.js';

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

export interface HubOptions {
  /** Folder of the cache. */
  hub?: string;
  /** The thing that is named; default a model. */
  thing?: HubThing;
}

/** Folder of a repository in the cache, whether it is there or not; null for no such name. */
export function repositoryFolder(
  name: string,
  { hub = hubCacheFolder(), thing = 'model' }: HubOptions = {},
): string | null {
  const parsed = parseHubName(name);
  if (parsed === null) return null;
  const prefix = thing === 'dataset' ? 'datasets--' : 'models--';
  return join(hub, `${prefix}${parsed.repository.replace('/', '--')}`);
}

/** Snapshot of a revision; null if the cache has no such repository and revision. */
function snapshotOf(name: string, options: HubOptions): string | null {
  const folder = repositoryFolder(name, options);
  if (folder === null) return null;
  const { revision } = parseHubName(name)!;
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
 * The path that a name stands for in the cache: the snapshot of its repository, or the file or
 * folder in it; null if the cache does not have it.
 */
export function findInHubCache(name: string, options: HubOptions = {}): string | null {
  const snapshot = snapshotOf(name, options);
  const { path = null } = parseHubName(name) ?? {};
  if (snapshot === null || path === null) return snapshot;
  const inside = join(snapshot, path);
  return factsIfAny(inside) === null ? null : inside;
}

/**
 * A path of a request in the file system: the path itself if something is there, else what the
 * cache has under that name, else the path, whose reader tells that it is missing.
 */
export function located(path: string, thing: HubThing): string {
  if (isThere(path)) return path;
  return findInHubCache(path, { thing }) ?? path;
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
