/** Exit codes of the command line and the lines that explain them. */
import { asSaeEvalError, errorTable, SaeEvalError } from '../errors.js';

/** 1 if the evaluation failed, 2 if the request or the arguments are wrong. */
export function exitCodeOf(thrown: unknown): 1 | 2 {
  return errorTable[asSaeEvalError(thrown).code].exitCode;
}

/** Prints a line for each field at fault, or one line for the error. */
export function printError(thrown: unknown): void {
  const error = asSaeEvalError(thrown);
  const lines =
    error.fields.length > 0
      ? error.fields.map(({ path, message }) => `${path || 'the request'}: ${message}`)
      : [error.message];
  for (const line of lines) process.stderr.write(`sae-eval: ${line}\n`);
  if (process.env['SAE_EVAL_DEBUG'] !== undefined && thrown instanceof Error)
    process.stderr.write(`${thrown.stack ?? ''}\n`);
}

/** Content of a JSON file. @throws SaeEvalError `file-not-found`, `body-malformed`. */
export async function readJsonFile(path: string): Promise<unknown> {
  const { readFile } = await import('node:fs/promises');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw asSaeEvalError(error, path);
  }
  try {
    // Editors on Windows begin a file with a byte-order mark.
    return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown;
  } catch (error) {
    throw new SaeEvalError(
      'body-malformed',
      `${path}: expected JSON, found ${error instanceof Error ? error.message : 'something else'}`,
    );
  }
}
