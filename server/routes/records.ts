/** Records of evaluations as callers see them, for the routes below `/v1/evaluations/:id`. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SaeEvalError } from '../../src/errors.js';
import type { EvaluationRecord, EvaluationSummary } from '../../src/schema/record.js';
import { mayRead } from '../auth/access.js';
import type { Services } from '../services.js';

export const idParameters = z.object({ id: z.string().max(100) });

/**
 * Facts that decide about an evaluation, if the caller may read it; else it is absent.
 * @throws SaeEvalError `not-found`.
 */
export function readable(
  { store }: Services,
  caller: FastifyRequest,
  id: string,
): NonNullable<ReturnType<Services['store']['access']>> {
  const access = store.access(id);
  if (access === null || !mayRead(caller, access))
    throw new SaeEvalError('not-found', `There is no evaluation ${id}.`);
  return access;
}

/** Whether the caller may learn that an evaluation exists. */
export function mayKnow({ store }: Services, caller: FastifyRequest, id: string): boolean {
  const access = store.access(id);
  return access !== null && mayRead(caller, access);
}

/** @throws SaeEvalError `not-found`, `storage-damaged`. */
export function existing(services: Services, caller: FastifyRequest, id: string): EvaluationRecord {
  readable(services, caller, id);
  const { store, queue } = services;
  const record = store.record(id);
  if (record === null) throw new SaeEvalError('not-found', `There is no evaluation ${id}.`);
  return queue.withPresent(record);
}

/** An evaluation without its result, which may be large. */
export function existingSummary(
  services: Services,
  caller: FastifyRequest,
  id: string,
): EvaluationSummary {
  readable(services, caller, id);
  const { store, queue } = services;
  const summary = store.summary(id);
  if (summary === null) throw new SaeEvalError('not-found', `There is no evaluation ${id}.`);
  return queue.withPresent(summary);
}
