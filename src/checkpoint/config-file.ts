/** The small JSON file beside an SAE's weights, by a schema. */
import type { z } from 'zod';
import { SaeEvalError } from '../errors.js';
import { FileBytes } from './file-bytes.js';

const mostBytes = 4 * 2 ** 20;

/** @throws SaeEvalError `checkpoint-format` naming the field that does not fit. */
export function readConfig<T>(path: string, schema: z.ZodType<T>): T {
  const text = FileBytes.with(path, (file) => {
    if (file.size > mostBytes)
      throw new SaeEvalError(
        'checkpoint-format',
        `${path}: expected a small JSON file, found ${file.size} bytes.`,
      );
    return file.read(0, file.size).toString('utf8');
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new SaeEvalError('checkpoint-format', `${path}: expected JSON, found something else.`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new SaeEvalError(
    'checkpoint-format',
    `${path}: ${issue.path.map(String).join('.') || 'the file'}: ${issue.message}.`,
  );
}
