/** Validates requests with their zod schemas; faults become `request-invalid` with field paths. */
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { SaeEvalError, type FieldError } from '../src/errors.js';

function fieldPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) =>
      typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`,
    )
    .join('');
}

export function invalid(error: z.ZodError): SaeEvalError {
  const fields = error.issues.slice(0, 100).flatMap((issue): FieldError[] => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.slice(0, 20).map((key) => ({
        path: fieldPath([...issue.path, key]).slice(0, 300),
        message: 'is not a field of this request',
      }));
    return [{ path: fieldPath(issue.path).slice(0, 300), message: issue.message }];
  });
  const first = fields[0];
  const message =
    first === undefined
      ? 'The request is invalid.'
      : `${first.path || 'The body'}: ${first.message}`;
  return new SaeEvalError('request-invalid', message, { fields });
}

/** @throws SaeEvalError `request-invalid`. */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(parsed.error);
  return parsed.data;
}

const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (data) => {
    const parsed = schema.safeParse(data);
    return parsed.success ? { value: parsed.data } : { error: invalid(parsed.error) };
  };

/** Requests are checked by zod. Responses are typed by zod and sent unchecked. */
export function registerValidation(app: FastifyInstance): void {
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}
