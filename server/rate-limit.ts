/** Limits requests a minute by API key, or by address for callers without a known key. */
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SaeEvalError } from '../src/errors.js';

function tooMany(most: number, milliseconds: number): SaeEvalError {
  return new SaeEvalError(
    'rate-limited',
    `A client may send ${most} requests a minute; try again in ` +
      `${Math.ceil(milliseconds / 1000)} s.`,
  );
}

/** Other users of this machine count apart, so that they cannot lock its owner out. */
const callerName = ({ keyLabel, peer, ip }: FastifyRequest): string =>
  keyLabel !== null ? `key ${keyLabel}` : peer !== null ? `user ${peer}` : ip;

/**
 * Limits every route. Call before the guard is registered.
 *
 * @returns a function that counts a caller whom the guard refuses; it throws `rate-limited`.
 */
export async function registerRateLimit(
  app: FastifyInstance,
  { requestsPerMinute }: { requestsPerMinute: number },
): Promise<(request: FastifyRequest) => Promise<void>> {
  await app.register(rateLimit, {
    global: true,
    max: requestsPerMinute,
    timeWindow: 60_000,
    keyGenerator: callerName,
    errorResponseBuilder: (_, { max, ttl }) => tooMany(max, ttl),
  });
  const count = app.createRateLimit();
  return async (request) => {
    const limit = await count(request);
    if (!limit.isAllowed && limit.isExceeded) throw tooMany(limit.max, limit.ttl);
  };
}
