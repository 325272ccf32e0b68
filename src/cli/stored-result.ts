/** Results that earlier runs left in files. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { missingPath } from '../missing-path.js';
import { check } from '../schema/faults.js';
import { resultSchema, type EvaluationResult } from '../schema/index.js';
import { parseRequestText } from './request-file.js';

/** Path of the report that a run names: itself, or `report.json` in its folder. */
async function reportOf(run: string): Promise<string> {
  const facts = await stat(run).catch((thrown: NodeJS.ErrnoException) => {
    throw thrown.code === 'ENOENT'
      ? missingPath(run, { what: 'report or folder of a run' })
      : asSaeEvalError(thrown, run);
  });
  return facts.isDirectory() ? join(run, 'report.json') : run;
}

/**
 * The result in a `report.json`, or in the folder that holds one.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `body-malformed`, `request-invalid` for
 *   a file that holds no result.
 */
export async function readResult(run: string): Promise<EvaluationResult> {
  const path = await reportOf(run);
  const text = await readFile(path, 'utf8').catch((thrown: NodeJS.ErrnoException) => {
    throw thrown.code === 'ENOENT'
      ? missingPath(path, { what: 'report' })
      : asSaeEvalError(thrown, path);
  });
  const value = parseRequestText(text, { name: path, format: 'json' });
  const { data, faults } = check(resultSchema, value, { of: 'a result' });
  if (faults === null) return data;
  const [fault] = faults;
  throw new SaeEvalError(
    'request-invalid',
    `${path}: expected a result written by sae-eval (report.json); ` +
      `${fault!.path === '' ? '' : `${fault!.path} `}${fault!.message}.`,
  );
}
