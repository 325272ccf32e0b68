/** `sae-eval compare`: paired differences between runs, from their sums. */
import { compareRuns } from '../../evaluation/compare/compare-runs.js';
import { readSums, type RunSums } from '../../evaluation/compare/sums-of-run.js';
import { differenceTables } from '../difference-table.js';
import { localeLanguage, type Language } from '../language.js';
import { fileOfRun } from '../run-files.js';
import { checkWorse, parseWorseGate } from '../worse-gate.js';

export interface CompareFlags {
  metrics?: string[];
  failIf?: string[];
  json?: boolean;
  lang?: Language;
}

const sumsOf = async (run: string): Promise<RunSums> => readSums(await fileOfRun(run, 'sums'), run);

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
