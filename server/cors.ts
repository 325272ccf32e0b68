/**
 * Answers to pages of other origins (https://fetch.spec.whatwg.org/#http-cors-protocol). Only
 * origins that the server was started with may read them; keys travel in a header of their own, so
 * no credentials of the browser are allowed.
 */
import type { FastifyInstance } from 'fastify';
import { methodsAt } from './method-table.js';

/** Headers that the client sends beside those that browsers always allow. */
const requestHeaders = [
  'accept',
  'authorization',
  'content-type',
  'idempotency-key',
  'if-none-match',
  'last-event-id',
];
const responseHeaders = [
  'content-disposition',
  'content-language',
  'etag',
  'location',
  'retry-after',
  'x-request-id',
];
/** Seconds for which a browser may keep the answer to a preflight. */
const keptFor = 600;

/** An origin as browsers write it; null if it is none. `*` stands for any. */
export function originOf(text: string): string | null {
  if (text === '*') return text;
  try {
    const { origin, protocol } = new URL(text);
    return /^https?:$/.test(protocol) && text.replace(/\/$/, '') === origin ? origin : null;
  } catch {
    return null;
  }
}

/** Whether a page of this origin may read the answers. */
export function isAllowed(origin: string | undefined, allowed: readonly string[]): boolean {
  return origin !== undefined && (allowed.includes(origin) || allowed.includes('*'));
}

/** Call before the guard is registered: a preflight carries no key. */
export function registerCors(app: FastifyInstance, { cors }: { cors: readonly string[] }): void {
  if (cors.length === 0) return;
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    if (!isAllowed(origin, cors)) return undefined;
    reply
      .header('access-control-allow-origin', origin)
      .header('access-control-expose-headers', responseHeaders.join(', '));
    if (
      request.method !== 'OPTIONS' ||
      request.headers['access-control-request-method'] === undefined
    )
      return undefined;
    return reply
      .code(204)
      .header('access-control-allow-methods', methodsAt(app, request.url).join(', '))
      .header('access-control-allow-headers', requestHeaders.join(', '))
      .header('access-control-max-age', keptFor)
      .send();
  });
  // A cache must not give one origin the answer to another; routes set what else it varies by.
  app.addHook('onSend', async (_, reply) => {
    reply.header('vary', [reply.getHeader('vary'), 'origin'].flat().filter(Boolean).join(', '));
  });
}
