/** States of an evaluation, apart from the schemas: client and page import them without zod. */

export const evaluationStatuses = [
  'queued',
  'running',
  'succeeded',
  'partial',
  'failed',
  'cancelled',
] as const;
export type EvaluationStatus = (typeof evaluationStatuses)[number];

/** Whether an evaluation in this state will not change any more. */
export function hasEnded(status: EvaluationStatus): boolean {
  return status !== 'queued' && status !== 'running';
}
