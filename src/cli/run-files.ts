/** Files that a run leaves in its folder: their names, and where they are for a path of a run. */
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { asSaeEvalError } from '../errors.js';
import { missingPath } from '../missing-path.js';

/** The report in every format. */
export const reportFiles = [
  { name: 'report.json', format: 'json', lang: 'en' },
  { name: 'report.md', format: 'md', lang: 'en' },
  { name: 'report.zh.md', format: 'md', lang: 'zh' },
  // The reader's browser chooses the language.
  { name: 'report.html', format: 'html', lang: undefined },
  { name: 'report.csv', format: 'csv', lang: 'en' },
] as const;

const names = {
  report: 'report.json',
  sums: 'sums.safetensors',
  latents: 'latents.parquet',
} as const;

/** What is missing, in words. */
const meant = {
  report: 'report',
  sums: 'sums of a run (written by evaluate --out and merge)',
  latents: 'latents table of a run (whose request has `latents`)',
} as const;

/** Files that a run writes to its folder beside the report, if it has what is in them. */
export const filesIn = (folder: string): { sums: string; latents: string } => ({
  sums: join(folder, names.sums),
  latents: join(folder, names.latents),
});

/** Facts of a file. @throws SaeEvalError `file-not-found`, `file-unreadable`. */
async function factsOf(path: string, what: string): Promise<Stats> {
  return stat(path).catch((thrown: NodeJS.ErrnoException) => {
    throw thrown.code === 'ENOENT' ? missingPath(path, { what }) : asSaeEvalError(thrown, path);
  });
}

/**
 * Path of a file of a run.
 * @param run the file itself, the folder that holds it, or the `report.json` beside it.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`.
 */
export async function fileOfRun(run: string, kind: keyof typeof names): Promise<string> {
  const isFolder = (
    await factsOf(run, `${kind === 'report' ? 'report or ' : ''}folder of a run`)
  ).isDirectory();
  if (!isFolder && basename(run) !== names.report) return run;
  const path = join(isFolder ? run : dirname(run), names[kind]);
  await factsOf(path, meant[kind]);
  return path;
}
