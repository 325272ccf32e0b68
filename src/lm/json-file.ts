/** Reads the JSON files of a model folder, which may be anything. Loads nothing native. */
import { open } from 'node:fs/promises';
import { asSaeEvalError, SaeEvalError, type ErrorCode } from '../errors.js';
import { JsonFields } from './json-fields.js';

export interface JsonFileOptions {
  /** Of the error where the content is not what it should be. */
  code: ErrorCode;
  /** Bytes it may have. */
  limit?: number;
}

const mebibyte = 2 ** 20;

/** A file's text; null where there is none. @throws SaeEvalError `file-unreadable`, `code`. */
export async function readTextFile(
  path: string,
  { code, limit = 64 * mebibyte }: JsonFileOptions,
): Promise<string | null> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size > limit)
        throw new SaeEvalError(
          code,
          `${path}: expected at most ${limit / mebibyte} MiB, found ${Math.ceil(size / mebibyte)}.`,
        );
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw asSaeEvalError(thrown, path);
  }
}

/**
 * A file's JSON object; null where there is no such file. @throws SaeEvalError `file-unreadable`,
 * `code`.
 */
export async function readJsonFile(
  path: string,
  options: JsonFileOptions,
): Promise<JsonFields | null> {
  const text = await readTextFile(path, options);
  if (text === null) return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (thrown) {
    throw new SaeEvalError(
      options.code,
      `${path}: expected JSON, found something else ` +
        `(${thrown instanceof Error ? thrown.message : String(thrown)}).`,
    );
  }
  return JsonFields.from(json, path, { code: options.code });
}
