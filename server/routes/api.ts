/** Shared by the routes: the typed instance, problem responses, the check of the Accept header. */
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { SaeEvalError } from '../../src/errors.js';
import { problemSchema } from '../../src/schema/record.js';
import { negotiate } from '../negotiate.js';

export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

interface ProblemResponse {
  description: string;
  content: { 'application/problem+json': { schema: typeof problemSchema } };
}

const descriptions: Readonly<Record<number, string>> = {
  400: 'The body is not JSON.',
  401: 'An API key is required.',
  403: 'The API key may not do this.',
  404: 'There is nothing at this address.',
  406: 'The answer is not available in an accepted media type.',
  409: 'The state of the evaluation does not allow this.',
  413: 'The body is too large.',
  415: 'The body is not application/json.',
  422: 'A field is missing or wrong; `errors` names it.',
  429: 'There are too many requests or too many waiting evaluations.',
  500: 'The stored record is damaged.',
  503: 'The server is not ready, overloaded or stopping.',
};

/** Problem responses with these statuses, for the schema of a route. */
export function problems<S extends number>(...statuses: S[]): Record<S, ProblemResponse> {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: descriptions[status] ?? 'An error.',
        content: { 'application/problem+json': { schema: problemSchema } },
      },
    ]),
  ) as Record<S, ProblemResponse>;
}

/** @throws SaeEvalError `not-acceptable` if the Accept header takes none of these types. */
export function acceptable(request: FastifyRequest, offered: readonly string[]): string {
  const type = negotiate(request.headers.accept, offered);
  if (type === null)
    throw new SaeEvalError(
      'not-acceptable',
      `Accept: ${request.headers.accept?.slice(0, 200) ?? ''} takes none of ${offered.join(', ')}.`,
    );
  return type;
}
