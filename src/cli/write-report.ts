/** Writes a result in every format: report.json, .md, .zh.md, .html, .csv. */
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EvaluationResult } from '../schema/index.js';
import { renderReport } from '../report/index.js';

const files = [
  { name: 'report.json', format: 'json', lang: 'en' },
  { name: 'report.md', format: 'md', lang: 'en' },
  { name: 'report.zh.md', format: 'md', lang: 'zh' },
  // The reader's browser chooses the language.
  { name: 'report.html', format: 'html', lang: undefined },
  { name: 'report.csv', format: 'csv', lang: 'en' },
] as const;

/** Files that a run writes to its folder beside the report, if it has what is in them. */
export const filesIn = (folder: string): { sums: string; latents: string } => ({
  sums: join(folder, 'sums.safetensors'),
  latents: join(folder, 'latents.parquet'),
});

/** Writes all formats to `folder`, each file in one step. @returns their paths. */
export async function writeReport(result: EvaluationResult, folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const { name, format, lang } of files) {
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
