/** `/v1/comparisons`: paired differences between evaluations on the same text. */
import { existsSync } from 'node:fs';
import type { FastifyRequest } from 'fastify';
import { SaeEvalError } from '../../src/errors.js';
import { hasEnded } from '../../src/schema/record.js';
import {
  runComparisonRequestSchema,
  runComparisonSchema,
} from '../../src/schema/run-comparison.js';
import { presenceOf } from '../presence.js';
import type { ComparedSums } from '../run-comparer.js';
import type { Services } from '../services.js';
import { clientOf } from '../submission.js';
import { problems, type Api } from './api.js';
import { existingSummary } from './records.js';

/** @throws SaeEvalError `not-found`; `not-finished` if it has not ended or has no sums. */
function sumsOf(services: Services, caller: FastifyRequest, id: string): ComparedSums {
  const { status } = existingSummary(services, caller, id);
  if (!hasEnded(status))
    throw new SaeEvalError(
      'not-finished',
      `Evaluation ${id} is ${status}; it can be compared when it has ended.`,
    );
  const path = services.store.sums.pathOf(id);
  if (!existsSync(path))
    throw new SaeEvalError('not-finished', `Evaluation ${id} (${status}) has no sums to compare.`);
  return { path, name: id };
}

export function registerComparisons(app: Api, services: Services): void {
  app.route({
    method: 'POST',
    url: '/comparisons',
    config: { isReading: true },
    schema: {
      operationId: 'compareInPairs',
      tags: ['reports'],
      summary: 'Compare evaluations on the same text in pairs; the answer is not stored',
      body: runComparisonRequestSchema,
      response: {
        200: runComparisonSchema.describe('The differences.'),
        ...problems(400, 404, 406, 409, 413, 415, 422, 500, 503),
      },
    },
    handler: async (request, reply) => {
      const { base, others, metrics } = request.body;
      const [first, ...rest] = [base, ...others].map((id) => sumsOf(services, request, id));
      return services.comparer.compare(first!, {
        others: rest,
        metrics,
        turn: { client: clientOf(request), signal: presenceOf(request, reply) },
      });
    },
  });
}
