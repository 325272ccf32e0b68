/** Records of evaluations as callers see them, for the routes below `/v1/evaluations/:id`. */
import { z } from 'zod';
import { SaeEvalError } from '../../src/errors.js';
import type { EvaluationRecord, EvaluationSummary } from '../../src/schema/record.js';
import type { Services } from '../services.js';

export const idParameters = z.object({ id: z.string().max(100) });

/** @throws SaeEvalError `not-found`, `storage-damaged`. */
export function existing({ store, queue }: Services, id: string): EvaluationRecord {
  const record = store.record(id);
  if (record === null) throw new SaeEvalError('not-found', `There is no evaluation ${id}.`);
  return queue.withPresent(record);
}

/** An evaluation without its result, which may be large. */
export function existingSummary({ store, queue }: Services, id: string): EvaluationSummary {
  const summary = store.summary(id);
  if (summary === null) throw new SaeEvalError('not-found', `There is no evaluation ${id}.`);
  return queue.withPresent(summary);
}
