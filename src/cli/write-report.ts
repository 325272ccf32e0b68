/** Writes a result in every format: report.json, .md, .zh.md, .html, .csv. */
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EvaluationResult } from '../schema/index.js';
import { renderReport } from '../report/index.js';
import { filesIn, reportFiles } from './run-files.js';

/** Writes all formats to `folder`, each file in one step. @returns their paths. */
export async function writeReport(result: EvaluationResult, folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const { name, format, lang } of reportFiles) {
    const path = join(folder, name);
    await writeFile(
      `${path}.part`,
      await renderReport(result, { format, ...(lang === undefined ? {} : { lang }) }),
    );
    await rename(`${path}.part`, path);
    paths.push(path);
  }
  // Who may read the report may compare the run: the compute process keeps its files to itself.
  await chmod(filesIn(folder).sums, 0o666 & ~process.umask()).catch(() => {});
  return paths;
}
