/** Results that earlier runs left in files. */
import { readFile } from 'node:fs/promises';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { check } from '../schema/faults.js';
import { resultSchema, type EvaluationResult } from '../schema/index.js';
import { parseRequestText } from './request-file.js';
import { fileOfRun } from './run-files.js';

/**
 * The result in a `report.json`, or in the folder that holds one.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `body-malformed`, `request-invalid` for
 *   a file that holds no result.
 */
export async function readResult(run: string): Promise<EvaluationResult> {
  const path = await fileOfRun(run, 'report');
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    throw asSaeEvalError(thrown, path);
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
