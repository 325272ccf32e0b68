/** Who may read and who may change an evaluation. */
import type { FastifyRequest } from 'fastify';
import { SaeEvalError } from '../../src/errors.js';

/** Facts that decide who may read and change an evaluation. */
export interface Ownership {
  /** Label of the API key that submitted it; null without keys. */
  submittedBy: string | null;
  /** Whether other keys may read it. */
  shared: boolean;
}

/** Label of the key whose evaluations a caller has; null if it has all. */
export function ownerOf(request: FastifyRequest): string | null {
  return request.keyRole === 'admin' ? null : request.keyLabel;
}

export function mayRead(request: FastifyRequest, { submittedBy, shared }: Ownership): boolean {
  const owner = ownerOf(request);
  return owner === null || submittedBy === owner || shared;
}

/** @throws SaeEvalError `forbidden` for an evaluation that the caller may only read. */
export function refuseUnlessOwn(request: FastifyRequest, { submittedBy }: Ownership): void {
  const owner = ownerOf(request);
  if (owner !== null && submittedBy !== owner)
    throw new SaeEvalError(
      'forbidden',
      'The evaluation is shared with you, but not yours; its key, or one of role admin, may ' +
        'cancel or remove it.',
    );
}
