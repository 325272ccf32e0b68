/**
 * Turns every error into `application/problem+json` (RFC 9457) by the table in src/errors.ts. No
 * answer contains a stack trace.
 */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Socket } from 'node:net';
import { asSaeEvalError, errorTable, SaeEvalError, type ErrorCode } from '../src/errors.js';
import type { Problem } from '../src/schema/record.js';
import { isStoreFault, storeError } from './jobs/store-health.js';
import { likelyAddress, methodsAt } from './method-table.js';

const problemMediaType = 'application/problem+json; charset=utf-8';

function problemOf(error: SaeEvalError, instance?: string): Problem {
  const { status, title } = errorTable[error.code];
  return {
    type: `/problems/${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...(instance === undefined ? {} : { instance }),
    ...(error.fields.length === 0
      ? {}
      : { errors: error.fields.map(({ path, message }) => ({ path, message })) }),
  };
}

const frameworkErrors: Readonly<Record<string, { code: ErrorCode; message: string }>> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: {
    code: 'body-malformed',
    message: 'The body is empty; expected a JSON object.',
  },
  FST_ERR_CTP_INVALID_JSON_BODY: { code: 'body-malformed', message: 'The body is not valid JSON.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'body-malformed',
    message: 'The length of the body differs from Content-Length.',
  },
  FST_ERR_CTP_BODY_TOO_LARGE: { code: 'body-too-large', message: 'The body is too large.' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'media-type-unsupported',
    message: 'Expected Content-Type: application/json.',
  },
  FST_ERR_BAD_URL: { code: 'not-found', message: 'The address is not a valid URL.' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'not-found', message: 'A part of the address is too long.' },
};

/** A coded error for any error that reached the framework. */
export function codedError(error: unknown): SaeEvalError {
  if (error instanceof SaeEvalError) return error;
  const { code, statusCode, message } = error as Partial<FastifyError>;
  const known = code === undefined ? undefined : frameworkErrors[code];
  if (known !== undefined) return new SaeEvalError(known.code, known.message, { cause: error });
  if (isStoreFault(error)) return storeError(error);
  const stored = asSaeEvalError(error, 'The store');
  if (stored.code === 'storage-full') return stored;
  const passing = asSaeEvalError(error, 'The call could not be answered');
  if (passing.code === 'unavailable') return passing;
  if (statusCode === 429)
    return new SaeEvalError('rate-limited', message ?? 'Too many requests.', { cause: error });
  if (statusCode === 400)
    return new SaeEvalError('body-malformed', 'The body is not valid JSON.', { cause: error });
  if (statusCode === 403 || statusCode === 404)
    return new SaeEvalError('not-found', 'There is nothing at this address.', { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new SaeEvalError('request-invalid', message ?? 'The request is not valid.', {
      cause: error,
    });
  return new SaeEvalError(
    'internal',
    'The server met an unexpected fault; its log has the details under the id of the request.',
    { cause: error },
  );
}

export function sendProblem(reply: FastifyReply, error: SaeEvalError): FastifyReply {
  const problem = problemOf(error, reply.request.id);
  if (error.code === 'unauthorized') reply.header('www-authenticate', 'Bearer');
  if (error.code === 'rate-limited' && !reply.hasHeader('retry-after'))
    reply.header('retry-after', '60');
  if (error.code === 'unavailable' || error.code === 'queue-full' || error.code === 'storage-full')
    reply.header('retry-after', '5');
  return reply
    .code(problem.status)
    .header('cache-control', 'no-store')
    .type(problemMediaType)
    .send(problem);
}

/** The error with the most bytes that a body may have, if it has more. */
function withLimit(error: SaeEvalError, { routeOptions }: FastifyRequest): SaeEvalError {
  if (error.code !== 'body-too-large') return error;
  const most = `expected at most ${routeOptions.bodyLimit} bytes (the server's bodyLimit)`;
  return new SaeEvalError(error.code, `The body is too large: ${most}.`, { cause: error });
}

export function registerProblems(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    const coded = withLimit(codedError(error), request);
    if (coded.code === 'internal' || coded.code === 'storage-damaged')
      request.log.error({ err: error }, 'unexpected fault');
    return sendProblem(reply, coded);
  });
}

/** Call after the rate limit is registered: unknown addresses count towards it too. */
export function registerNotFound(app: FastifyInstance): void {
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, (request, reply) =>
    notFound(request, reply),
  );
}

function notFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const methods = methodsAt(request.server, request.url);
  if (methods.length === 0) {
    const likely = likelyAddress(request.server, request.url);
    const hint =
      likely === null
        ? 'GET /docs lists the calls.'
        : `Perhaps ${likely.address} is meant${
            likely.before === '' ? '.' : `; behind a proxy, give --base-path ${likely.before}.`
          }`;
    return sendProblem(
      reply,
      new SaeEvalError('not-found', `There is nothing at ${request.url.slice(0, 200)}. ${hint}`),
    );
  }
  reply.header('allow', methods.join(', '));
  return sendProblem(
    reply,
    new SaeEvalError(
      'method-not-allowed',
      `This address does not take ${request.method}; it takes ${methods.join(', ')}.`,
    ),
  );
}

/** Answers a connection whose request is not HTTP, too slow, or has too large headers. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const [status, reason] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? [408, 'Request Timeout']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? [431, 'Request Header Fields Too Large']
        : [400, 'Bad Request'];
  const problem = { type: 'about:blank', title: reason, status, detail: reason };
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: ${problemMediaType}\r\nContent-Length: ` +
      `${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
