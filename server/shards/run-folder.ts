/** The folder of a run as the queue names it, and as a worker finds it below its own roots. */
import { isAbsolute, join, relative, sep } from 'node:path';
import { SaeEvalError } from '../../src/errors.js';
import { FolderStore } from '../../src/evaluation/shards/folder-store.js';
import type { PathTable } from '../../src/evaluation/request/path-table.js';
import type { ShardPlan } from '../../src/evaluation/shards/plan.js';
import type { Roots } from '../roots.js';

/** How a server names a folder to its workers: by its place below a root, if it lies below one. */
export function nameBelow(roots: readonly string[], folder: string): string {
  const ways = roots
    .map((root) => relative(root, folder))
    .filter((way) => way !== '' && !way.startsWith(`..${sep}`) && way !== '..' && !isAbsolute(way));
  return ways[0] ?? folder;
}

export interface FoundRun {
  store: FolderStore;
  plan: ShardPlan;
  paths: NonNullable<PathTable>;
}

/** Files of a run's folder that are read or written: none may be a link that leads elsewhere. */
const folders = ['shards', 'partial', 'tokens', 'attempts'];

/**
 * Finds a run below the roots, with every path of its request.
 * @throws SaeEvalError `path-outside-roots`, `file-not-found`, `storage-damaged`.
 */
export async function findRun(roots: Roots, name: string): Promise<FoundRun> {
  const folder = await roots.resolve(name, { contents: true });
  for (const one of folders)
    await roots.resolve(join(folder, one)).catch((thrown: unknown) => {
      if (thrown instanceof SaeEvalError && thrown.code === 'file-not-found') return;
      throw thrown;
    });
  const store = new FolderStore(folder);
  const plan = store.plan();
  if (plan === null) throw new SaeEvalError('file-not-found', `${folder}: there is no plan.json.`);
  const paths = await roots.table(plan.request);
  for (const entry of paths)
    if ('error' in entry)
      throw SaeEvalError.fromJSON(entry.error as Parameters<typeof SaeEvalError.fromJSON>[0]);
  return { store, plan, paths };
}
