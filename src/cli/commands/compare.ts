/** `sae-eval compare`: paired differences between runs, from their sums. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asSaeEvalError } from '../../errors.js';
import { compareRuns } from '../../evaluation/compare/compare-runs.js';
import { readSums, type RunSums } from '../../evaluation/compare/sums-of-run.js';
import { missingPath } from '../../missing-path.js';
import { differenceTables } from '../difference-table.js';
import { localeLanguage, type Language } from '../language.js';
import { checkWorse, parseWorseGate } from '../worse-gate.js';

export interface CompareFlags {
  metrics?: string[];
  failIf?: string[];
  json?: boolean;
  lang?: Language;
}

/** The sums of a run: a file, or `sums.safetensors` in its folder. */
async function sumsOf(run: string): Promise<RunSums> {
  const facts = await stat(run).catch((thrown: NodeJS.ErrnoException) => {
    throw thrown.code === 'ENOENT'
      ? missingPath(run, { what: 'folder of a run' })
      : asSaeEvalError(thrown, run);
  });
  const path = facts.isDirectory() ? join(run, 'sums.safetensors') : run;
  await stat(path).catch((thrown: NodeJS.ErrnoException) => {
    throw thrown.code === 'ENOENT'
      ? missingPath(path, { what: 'sums of a run (written by evaluate --out and merge)' })
      : asSaeEvalError(thrown, path);
  });
  return readSums(path, run);
}

/** Prints the differences; exits 3 if a gate fired, 2 if one had nothing to look at. */
export async function compare(
  base: string,
  others: readonly string[],
  { metrics, failIf = [], json = false, lang = localeLanguage() }: CompareFlags,
): Promise<void> {
  const gates = failIf.map(parseWorseGate);
  const [first, ...rest] = await Promise.all([base, ...others].map(sumsOf));
  const compared = compareRuns(first!, rest, {
    metrics: metrics?.flatMap((names) => names.split(',')).map((name) => name.trim()),
  });
  process.stdout.write(
    json ? `${JSON.stringify(compared, null, 2)}\n` : `${differenceTables(compared, { lang })}\n`,
  );
  const outcomes = gates.map((gate) => checkWorse(gate, compared));
  for (const { lines } of outcomes)
    for (const line of lines) process.stderr.write(`sae-eval: ${line}\n`);
  if (outcomes.some(({ fired }) => fired)) process.exitCode = 3;
  else if (outcomes.some(({ open }) => open)) process.exitCode = 2;
}
