/** `sae-eval report`: renders stored results again, or compares several. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SaeEvalError } from '../../errors.js';
import { resultSchema, type EvaluationResult } from '../../schema/index.js';
import { renderReport } from '../../report/index.js';
import { readJsonFile } from '../exit.js';

async function readResult(run: string): Promise<EvaluationResult> {
  const isFolder = await stat(run).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const path = isFolder ? join(run, 'report.json') : run;
  const parsed = resultSchema.safeParse(await readJsonFile(path));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new SaeEvalError(
      'request-invalid',
      `${path}: expected a result written by sae-eval; ${issue?.path.join('.') ?? ''}: ` +
        `${issue?.message ?? 'does not fit'}`,
    );
  }
  return parsed.data;
}

export async function report(
  runs: readonly string[],
  options: { format: 'md' | 'html' | 'json' | 'csv'; lang: 'en' | 'zh' },
): Promise<void> {
  const results = await Promise.all(runs.map(readResult));
  const text = await renderReport(results.length === 1 ? results[0]! : results, options);
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}
