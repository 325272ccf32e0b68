/**
 * Models in the local Hugging Face cache, by name. Nothing is downloaded, nothing native is loaded.
 */
import { readFileSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SaeEvalError } from '../errors.js';

/**
 * `org/name` (or `name` alone, as the oldest models have it), with `@revision` (a branch, tag or
 * commit) if not `main`.
 */
const modelName = /^((?:[\w-][\w.-]*\/)?[\w-][\w.-]*)(?:@([\w-][\w./-]*))?$/;

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** Where huggingface_hub keeps what it downloaded. */
export function hubCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = env;
  return (
    HF_HUB_CACHE ??
    HUGGINGFACE_HUB_CACHE ??
    join(HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface'), 'hub')
  );
}

/**
 * The snapshot of a model in the cache, null where the cache has none of that name and revision.
 */
export function findInHubCache(
  name: string,
  { hub = hubCacheFolder() }: { hub?: string } = {},
): string | null {
  const [, repository, revision = 'main'] = modelName.exec(name) ?? [];
  if (repository === undefined || revision.split('/').includes('..')) return null;
  const folder = join(hub, `models--${repository.replace('/', '--')}`);
  let commit = revision;
  try {
    commit = readFileSync(join(folder, 'refs', revision), 'utf8').trim();
  } catch {
    // a commit has no ref of its own
  }
  const snapshot = join(folder, 'snapshots', commit);
  return /^[\w-]+$/.test(commit) &&
    statSync(snapshot, { throwIfNoEntry: false })?.isDirectory() === true
    ? snapshot
    : null;
}

/**
 * The folder of a model: the path itself where it is one, else the cache's snapshot of that name.
 * @throws SaeEvalError `file-not-found`.
 */
export async function locateModel(path: string): Promise<string> {
  if (await isFolder(path)) return path;
  const found = findInHubCache(path);
  if (found !== null) return found;
  const inCache = modelName.test(path)
    ? `, nor is there a model of that name in ${hubCacheFolder()}`
    : '';
  throw new SaeEvalError(
    'file-not-found',
    `${path}: there is no such folder of a language model${inCache}.`,
  );
}
