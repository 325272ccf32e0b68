/** A request as typed by a user → the request with the schema's defaults. Reads no file. */
import { SaeEvalError } from '../../errors.js';
import { check } from '../../schema/faults.js';
import { fullProtocols, requestSchema } from '../../schema/index.js';
import type { ParsedRequest } from './checkpoints/expand.js';

/** @throws SaeEvalError `request-invalid` naming every field at fault. */
export function parseRequest(input: unknown): ParsedRequest {
  if (Array.isArray(input))
    throw new SaeEvalError('request-invalid', 'the request: expected an object, found a list');
  const { data, faults } = check(requestSchema, input);
  if (faults === null) return { ...data, protocol: fullProtocols(data.protocol) };
  const { path, message } = faults[0]!;
  throw new SaeEvalError('request-invalid', `${path || 'the request'}: ${message}`, {
    fields: faults,
  });
}
