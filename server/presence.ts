/** Whether a caller is still there: connected, with a key that is not revoked. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SaeEvalError } from '../src/errors.js';

/** A signal that aborts when the caller disconnects, or when its key is revoked. */
export function presenceOf(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  if (reply.raw.destroyed) controller.abort();
  else reply.raw.once('close', () => controller.abort());
  return request.keyRevoked === null
    ? controller.signal
    : AbortSignal.any([controller.signal, request.keyRevoked]);
}

/** @throws SaeEvalError `unauthorized` if the key was revoked, `cancelled` if the caller left. */
export function refuseIfGone(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw signal.reason instanceof SaeEvalError
    ? signal.reason
    : new SaeEvalError('cancelled', 'The caller has left.');
}
