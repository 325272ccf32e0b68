/** JSON and text files that lie beside weights: read whole, but only if they are small. */
import type { z } from 'zod';
import { asSaeEvalError, SaeEvalError, type ErrorCode } from '../errors.js';
import { jsonFault, placeIn } from '../json-fault.js';
import { FileBytes } from './file-bytes.js';
import { mistakenContent } from './mistaken-file.js';

export interface TextFileOptions {
  /** Code of the error if the content is not as expected. */
  code: ErrorCode;
  /** Number of bytes that the file may have. Default 64 MiB. */
  limit?: number;
}

const mebibyte = 2 ** 20;
/** Characters of a text in which the fault is looked for. */
const mostSearched = 4 * mebibyte;

/**
 * Text of a file; null if there is no such file.
 * @throws SaeEvalError `file-unreadable`, or `code` if the file is larger than the limit.
 */
export function readTextFile(
  path: string,
  { code, limit = 64 * mebibyte }: TextFileOptions,
): string | null {
  try {
    return FileBytes.with(path, (file) => {
      if (file.size > limit)
        throw new SaeEvalError(
          code,
          `${path}: expected at most ${limit / mebibyte} MiB, found ${file.size} bytes.`,
        );
      return file.read(0, file.size).toString('utf8');
    });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw asSaeEvalError(thrown, path);
  }
}

/**
 * Value of a JSON file; undefined if there is no such file.
 * @throws SaeEvalError `file-unreadable`, or `code` if it is too large or not JSON.
 */
export function readJsonFile(path: string, options: TextFileOptions): unknown {
  const text = readTextFile(path, options);
  if (text === null) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    const python = pythonJson(text);
    if (python !== undefined) return python;
    throw new SaeEvalError(options.code, `${path}: expected JSON${notJson(text)}.`);
  }
}

/**
 * Value of a text as Python's json writes it: with a byte order mark, or with NaN and infinities,
 * which JSON has no words for. All of these become an infinity, so that a field that is read
 * refuses them by its name. Undefined if it is not that either.
 */
function pythonJson(text: string): unknown {
  // Strings are matched first, so that words in them stay.
  const words = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g;
  try {
    return JSON.parse(
      text.replace(/^\ufeff/, '').replaceAll(words, (word) => (word[0] === '"' ? word : '1e999')),
    );
  } catch {
    return undefined;
  }
}

/**
 * Description of a text that is not JSON, as the end of a sentence. The text itself is not quoted:
 * it may be somebody's, who did not mean to show it.
 */
export function notJson(text: string): string {
  const mistake = mistakenContent(text);
  if (mistake !== null) return `; ${mistake}`;
  const fault = text.length > mostSearched ? null : jsonFault(text);
  if (fault === null) return ', found something else';
  const { line, col } = placeIn(text, fault.at);
  return `, found something else at line ${line}, column ${col}`;
}

/**
 * A value of the file at `path` that fits a schema.
 * @throws SaeEvalError `checkpoint-format` with the first field that does not fit.
 */
export function fitSchema<T>(path: string, value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new SaeEvalError(
    'checkpoint-format',
    `${path}: ${issue.path.map(String).join('.') || 'the file'}: ${issue.message}.`,
  );
}

/**
 * Value of a JSON file of at most 4 MiB that fits a schema.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, or `checkpoint-format` with the first
 *   field that does not fit.
 */
export function readConfig<T>(path: string, schema: z.ZodType<T>): T {
  const json = readJsonFile(path, { code: 'checkpoint-format', limit: 4 * mebibyte });
  if (json === undefined)
    throw new SaeEvalError('file-not-found', `${path}: there is no such file.`);
  return fitSchema(path, json, schema);
}
