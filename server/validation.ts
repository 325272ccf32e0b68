/** Validates requests with their zod schemas; faults become `request-invalid` with field paths. */
import type { FastifySchemaCompiler, FastifyServerOptions } from 'fastify';
import { z } from 'zod';
import { SaeEvalError, type FieldError } from '../src/errors.js';
import { check, innermost } from '../src/schema/faults.js';

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

const decimal = /^[+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?$/i;

/** The query with numbers in place of texts that are one, in fields that are numbers. */
function withNumbers(schema: z.ZodType, query: unknown): unknown {
  if (!(schema instanceof z.ZodObject) || typeof query !== 'object' || query === null) return query;
  return Object.fromEntries(
    Object.entries(query).map(([name, text]: [string, unknown]) => {
      const field: unknown = schema.shape[name];
      const isNumber = field instanceof z.ZodType && innermost(field) instanceof z.ZodNumber;
      return [name, isNumber && typeof text === 'string' && decimal.test(text) ? +text : text];
    }),
  );
}

const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart }) =>
  (value) => {
    const { data, faults } =
      httpPart === 'querystring'
        ? check(schema, withNumbers(schema, value), { of: 'the query' })
        : check(schema, value);
    return faults === null ? { value: data } : { error: invalid(faults) };
  };

/** Fastify's types of them know its own compilers alone. */
type SchemaCompilers = NonNullable<
  NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']
>;

/**
 * Compilers of a server's schemas, given as it is made, since Fastify would load its own ones
 * otherwise: requests are checked by zod; responses are typed by zod and sent unchecked.
 */
export const schemaCompilers: SchemaCompilers = {
  buildValidator: (() => validatorCompiler) as unknown as NonNullable<
    SchemaCompilers['buildValidator']
  >,
  buildSerializer: () => () => (data: unknown) => JSON.stringify(data),
};
