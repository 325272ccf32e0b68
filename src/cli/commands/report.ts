/** `sae-eval report`: renders stored results again, or compares several. */
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { renderReport } from '../../report/index.js';
import { saebenchDocuments, type SaebenchDocument } from '../../report/saebench.js';
import type { EvaluationResult } from '../../schema/index.js';
import { shownJson } from '../../shown-text.js';
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
  if (format === 'saebench') {
    await writeSaebench(results, out);
    return;
  }
  const text = await renderReport(results.length === 1 ? results[0]! : results, { format, lang });
  await write(text, out);
}

/** @throws SaeEvalError `request-invalid` if the file is a run's result: there is no other. */
function refuseResult(out: string): void {
  if (basename(out) === 'report.json' && existsSync(out))
    throw new SaeEvalError(
      'request-invalid',
      `--out ${out}: this file holds the result of a run, of which reports are made. Choose ` +
        'another file',
    );
}

/** Writes a text to a file, or to standard output. */
async function write(text: string, out: string | undefined): Promise<void> {
  const whole = text.endsWith('\n') ? text : `${text}\n`;
  if (out === undefined) {
    process.stdout.write(whole);
    return;
  }
  refuseResult(out);
  const draft = `${out}.part`;
  try {
    await mkdir(dirname(out), { recursive: true });
    await writeFile(draft, whole);
    await rename(draft, out);
  } catch (thrown) {
    throw asSaeEvalError(thrown, `--out ${out}`);
  }
  say(`wrote ${out}`);
}

/**
 * SAEBench's documents: one for each SAE. Of several SAEs they are a list on standard output, and
 * files in the folder `out`.
 */
async function writeSaebench(
  results: readonly EvaluationResult[],
  out: string | undefined,
): Promise<void> {
  const documents = results.flatMap(saebenchDocuments);
  const [only] = documents;
  if (documents.length === 1 || out === undefined) {
    const whole = documents.length === 1 ? only!.output : documents.map(({ output }) => output);
    await write(shownJson(whole), out);
    return;
  }
  for (const [name, { output }] of named(documents))
    await write(shownJson(output), join(out, `${name}_eval_results.json`));
}

/** Documents with names for their files: labels, with a number where one comes again. */
function named(documents: readonly SaebenchDocument[]): Map<string, SaebenchDocument> {
  const found = new Map<string, SaebenchDocument>();
  for (const one of documents) {
    const label = one.label.replace(/[^\p{L}\p{N}._=@+-]+/gu, '_').replace(/^\.+/, '_');
    let name = label;
    for (let n = 2; found.has(name); n++) name = `${label}_${n}`;
    found.set(name, one);
  }
  return found;
}
