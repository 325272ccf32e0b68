/** Records of evaluations as callers see them, for the routes below `/v1/evaluations/:id`. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SaeEvalError } from '../../src/errors.js';
import type { EvaluationSummary } from '../../src/schema/record.js';
import { mayRead } from '../auth/access.js';
import { damagedRecord, resultHash } from '../jobs/checksums.js';
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
): NonNullable<ReturnType<Services['store']['evaluations']['access']>> {
  const access = store.evaluations.access(id);
  if (access === null || !mayRead(caller, access))
    throw new SaeEvalError('not-found', `There is no evaluation ${id}.`);
  return access;
}

/** Whether the caller may learn that an evaluation exists. */
export function mayKnow({ store }: Services, caller: FastifyRequest, id: string): boolean {
  const access = store.evaluations.access(id);
  return access !== null && mayRead(caller, access);
}

/** An evaluation without its result, which may be large. */
export function existingSummary(
  services: Services,
  caller: FastifyRequest,
  id: string,
): EvaluationSummary {
  readable(services, caller, id);
  const { store, queue } = services;
  const summary = store.evaluations.summary(id);
  if (summary === null) throw new SaeEvalError('not-found', `There is no evaluation ${id}.`);
  return queue.withPresent(summary);
}

/**
 * The record of an evaluation as JSON, with its result as it is stored: reading a large one and
 * writing it again would hold up everybody.
 * @throws SaeEvalError `storage-damaged`.
 */
export function recordText({ store }: Services, summary: EvaluationSummary): string {
  const { id } = summary;
  const result = store.evaluations.resultText(id);
  if (result === null) return JSON.stringify({ ...summary, result: null });
  if (result.hash !== null && result.hash !== resultHash(result.text)) throw damagedRecord(id);
  return `${JSON.stringify(summary).slice(0, -1)},"result":${result.text}}`;
}
