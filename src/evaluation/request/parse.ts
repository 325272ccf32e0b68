/** A request as typed by a user → the request with the schema's defaults. Reads no file. */
import type { z } from 'zod';
import { SaeEvalError, type FieldError } from '../../errors.js';
import { requestSchema, type ResolvedRequest } from '../../schema/index.js';
import { requestProblem } from './request-problems.js';

/** `saes.2.layer` of zod as `saes[2].layer`. */
function fieldPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) =>
      typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`,
    )
    .join('');
}

function fromZod(error: z.ZodError): SaeEvalError {
  const fields = error.issues.flatMap((issue): FieldError[] => {
    if (issue.code !== 'unrecognized_keys')
      return [{ path: fieldPath(issue.path), message: issue.message }];
    return issue.keys.map((key) => ({
      path: fieldPath([...issue.path, key]),
      message: 'is not a field of a request',
    }));
  });
  const { path, message } = fields[0]!;
  return new SaeEvalError('request-invalid', `${path || 'the request'}: ${message}`, { fields });
}

/** @throws SaeEvalError `request-invalid` naming every field at fault. */
export function parseRequest(input: unknown): ResolvedRequest {
  if (Array.isArray(input))
    throw new SaeEvalError('request-invalid', 'the request: expected an object, found a list');
  const parsed = requestSchema.safeParse(input, { error: requestProblem });
  if (!parsed.success) throw fromZod(parsed.error);
  return parsed.data;
}
