/** Validates requests with their zod schemas; faults become `request-invalid` with field paths. */
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { SaeEvalError, type FieldError } from '../src/errors.js';
import { check } from '../src/schema/faults.js';

function invalid(faults: readonly FieldError[]): SaeEvalError {
  const { path, message } = faults[0]!;
  return new SaeEvalError('request-invalid', `${path || 'The body'}: ${message}`, {
    fields: [...faults],
  });
}

/** @throws SaeEvalError `request-invalid`. */
export function parseWith<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const { data, faults } = check(schema, value);
  if (faults !== null) throw invalid(faults);
  return data;
}

const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (value) => {
    const { data, faults } = check(schema, value);
    return faults === null ? { value: data } : { error: invalid(faults) };
  };

/** Requests are checked by zod. Responses are typed by zod and sent unchecked. */
export function registerValidation(app: FastifyInstance): void {
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}
