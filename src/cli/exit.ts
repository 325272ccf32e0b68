/** Exit codes of the command line and the lines that explain them. */
import { asSaeEvalError, errorTable } from '../errors.js';
import { say } from './say.js';

/**
 * 1 if the evaluation failed, 2 if the request or the arguments are wrong, 75 if the same may
 * succeed on another machine or later.
 */
export function exitCodeOf(thrown: unknown): 1 | 2 | 75 {
  return errorTable[asSaeEvalError(thrown).code].exitCode;
}

/** Prints a line for each field at fault, or one line for the error. */
export function printError(thrown: unknown): void {
  const error = asSaeEvalError(thrown);
  const lines =
    error.fields.length > 0
      ? error.fields.map(({ path, message }) => `${path || 'the request'}: ${message}`)
      : [error.message];
  for (const line of lines) say(`sae-eval: ${line}`);
  if (process.env['SAE_EVAL_DEBUG'] !== undefined && thrown instanceof Error)
    say(thrown.stack ?? '');
}
