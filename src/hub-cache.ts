/** Models in the local Hugging Face cache, by name. Nothing is downloaded. */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * `org/name` (or `name` alone, as the oldest models have it), with `@revision` (a branch, tag or
 * commit) if not `main`.
 */
const modelName = /^((?:[\w-][\w.-]*\/)?[\w-][\w.-]*)(?:@([\w-][\w./-]*))?$/;

/** Whether `name` could be a model of the hub. */
export function isHubName(name: string): boolean {
  return modelName.test(name);
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

/** Folder of a model's snapshot in the cache; null if the cache has no such name and revision. */
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
    // A commit has no ref of its own.
  }
  const snapshot = join(folder, 'snapshots', commit);
  return /^[\w-]+$/.test(commit) &&
    statSync(snapshot, { throwIfNoEntry: false })?.isDirectory() === true
    ? snapshot
    : null;
}
