/** Files that `--out` keeps of a run. */
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { asSaeEvalError } from '../errors.js';
import { missingPath } from '../missing-path.js';

/** Facts of a file. @throws SaeEvalError `file-not-found`, `file-unreadable`. */
async function factsOf(path: string, what: string): Promise<Stats> {
  return stat(path).catch((thrown: NodeJS.ErrnoException) => {
    throw thrown.code === 'ENOENT' ? missingPath(path, { what }) : asSaeEvalError(thrown, path);
  });
}

/**
 * Path of a file of a run.
 * @param run the file itself, the folder that holds it, or the `report.json` beside it.
 * @param what the file in words, for the error.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`.
 */
export async function fileOfRun(
  run: string,
  { name, what }: { name: string; what: string },
): Promise<string> {
  const isFolder = (await factsOf(run, 'folder of a run')).isDirectory();
  if (!isFolder && basename(run) !== 'report.json') return run;
  const path = join(isFolder ? run : dirname(run), name);
  await factsOf(path, what);
  return path;
}
