/** Files that `--out` keeps of a run. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { asSaeEvalError } from '../errors.js';
import { missingPath } from '../missing-path.js';

async function isFolder(path: string, what: string): Promise<boolean> {
  const facts = await stat(path).catch((thrown: NodeJS.ErrnoException) => {
    throw thrown.code === 'ENOENT' ? missingPath(path, { what }) : asSaeEvalError(thrown, path);
  });
  return facts.isDirectory();
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
  const folder = (await isFolder(run, 'folder of a run'))
    ? run
    : basename(run) === 'report.json'
      ? dirname(run)
      : null;
  if (folder === null) return run;
  const path = join(folder, name);
  await isFolder(path, what);
  return path;
}
