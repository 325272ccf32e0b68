/** Names of the files that a run leaves in its folder. */
import { join } from 'node:path';

/** The report in every format. */
export const reportFiles = [
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
