/** `sae-eval report`: renders stored results again, or compares several. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { asSaeEvalError } from '../../errors.js';
import { renderReport } from '../../report/index.js';
import { localeLanguage, type Language } from '../language.js';
import type { formats } from '../options.js';
import { readResult } from '../stored-result.js';
import { say } from '../say.js';

export interface ReportFlags {
  format: (typeof formats)[number];
  lang?: Language;
  /** File to write instead of standard output. */
  out?: string;
}

export async function report(
  runs: readonly string[],
  { format, lang = localeLanguage(), out }: ReportFlags,
): Promise<void> {
  const results = await Promise.all(runs.map(readResult));
  const text = await renderReport(results.length === 1 ? results[0]! : results, { format, lang });
  const whole = text.endsWith('\n') ? text : `${text}\n`;
  if (out === undefined) {
    process.stdout.write(whole);
    return;
  }
  try {
    await mkdir(dirname(out), { recursive: true });
    await writeFile(out, whole);
  } catch (thrown) {
    throw asSaeEvalError(thrown, `--out ${out}`);
  }
  say(`wrote ${out}`);
}
