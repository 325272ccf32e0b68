/** `/v1/evaluations`: list, get, cancel, remove. */
import { z } from 'zod';
import { SaeEvalError } from '../../src/errors.js';
import { ownerOf, refuseUnlessOwn } from '../auth/access.js';
import { evaluationListSchema, listSorts, sortOrders } from '../../src/schema/list.js';
import {
  evaluationRecordSchema,
  evaluationStatuses,
  evaluationSummarySchema,
  hasEnded,
} from '../../src/schema/record.js';
import { defaultOrder } from '../jobs/listing.js';
import type { Services } from '../services.js';
import { problems, type Api } from './api.js';
import { cursorOf, placeOf } from './cursor.js';
import { existingSummary, idParameters, readable, recordText } from './records.js';

const listQuery = z.strictObject({
  status: z
    .string()
    .max(200)
    .optional()
    .describe('One status, or several separated by commas.')
    .transform((text) => text?.split(','))
    .pipe(z.array(z.enum(evaluationStatuses)).optional())
    .meta({ type: 'string' }),
  label: z
    .string()
    .max(200)
    .optional()
    .describe('Lists only evaluations of an SAE with this label.'),
  name: z.string().max(200).optional().describe('Lists only evaluations of this name.'),
  tag: z
    .preprocess(
      (tags) => (typeof tags === 'string' ? [tags] : tags),
      z.array(z.string().max(100)).max(50),
    )
    .optional()
    .describe('Lists only evaluations with this tag; given several times, with all of them.'),
  q: z
    .string()
    .max(500)
    .optional()
    .describe(
      'Lists only evaluations with this text, in any case, in their name, notes, tags, metadata, ' +
        'labels, kinds or paths.',
    ),
  sort: z
    .enum(listSorts)
    .default('createdAt')
    .describe(
      'What the list is sorted by: of a metric, the value of the best SAE (the lowest, if the ' +
        'metric has no direction). Evaluations without a value come last.',
    ),
  order: z
    .enum(sortOrders)
    .optional()
    .describe('Default: newest, longest and best first; texts by the alphabet.'),
  limit: z.number().int().min(1).max(100).default(20),
  cursor: z
    .string()
    .max(2000)
    .optional()
    .describe('`nextCursor` of the previous page, with the same parameters.'),
});

const getQuery = z.strictObject({
  fields: z
    .enum(['all', 'summary'])
    .default('all')
    .describe('`summary`: without the result, as in the list, which is quick however large it is.'),
});

const removeQuery = z.strictObject({
  keep: z
    .enum(['partial'])
    .optional()
    .describe(
      '`partial`: a running evaluation stops and keeps what it did: it ends as `cancelled` with ' +
        '`stopped` and a result over the samples done. It has no result if none was done yet.',
    ),
  expect: z
    .enum(['active', 'ended'])
    .optional()
    .describe(
      '`active`: cancels, or answers 409 if the evaluation has ended. `ended`: removes, or ' +
        'answers 409 if it has not ended. Default: cancels or removes, by the state.',
    ),
});

export function registerEvaluations(app: Api, services: Services): void {
  const { store, queue } = services;

  app.route({
    method: 'GET',
    url: '/evaluations',
    schema: {
      operationId: 'listEvaluations',
      tags: ['evaluations'],
      summary: 'List evaluations',
      querystring: listQuery,
      response: {
        200: evaluationListSchema.describe('A page of the list.'),
        ...problems(406, 422),
      },
    },
    handler: async (request) => {
      const { status, tag, cursor, ...rest } = request.query;
      const { sort, order = defaultOrder(sort) } = rest;
      const { items, damaged, next } = store.evaluations.list({
        ...rest,
        owner: ownerOf(request),
        ...(tag === undefined ? {} : { tags: tag }),
        ...(status === undefined ? {} : { statuses: status }),
        ...(cursor === undefined ? {} : { after: placeOf(cursor, { sort, order }) }),
      });
      return {
        items: items.map((item) => queue.withPresent(item)),
        nextCursor: next === null ? null : cursorOf(next, { sort, order }),
        damaged,
      };
    },
  });

  app.route({
    method: 'GET',
    url: '/evaluations/:id',
    schema: {
      operationId: 'getEvaluation',
      tags: ['evaluations'],
      summary: 'Get an evaluation with its result',
      params: idParameters,
      querystring: getQuery,
      response: {
        200: evaluationSummarySchema
          .extend({ result: evaluationRecordSchema.shape.result.optional() })
          .describe('The record.'),
        ...problems(404, 406, 422, 500),
      },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const summary = existingSummary(services, request, id);
      if (request.query.fields === 'summary') return summary;
      const text = recordText(services, summary);
      return reply.type('application/json; charset=utf-8').send(text as never);
    },
  });

  app.route({
    method: 'DELETE',
    url: '/evaluations/:id',
    schema: {
      operationId: 'deleteEvaluation',
      tags: ['evaluations'],
      summary: 'Cancel a waiting or running evaluation; remove an ended one',
      params: idParameters,
      querystring: removeQuery,
      response: {
        202: evaluationSummarySchema.describe(
          'The record; a running evaluation ends within a batch.',
        ),
        204: z.undefined().describe('The evaluation was removed.'),
        ...problems(403, 404, 409, 422, 503),
      },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const { keep } = request.query;
      // Whoever wants to keep numbers wants to remove nothing.
      const { expect = keep === undefined ? undefined : 'active' } = request.query;
      const found = readable(services, request, id);
      refuseUnlessOwn(request, found);
      const { status } = found;
      if (hasEnded(status) && expect === 'active')
        throw new SaeEvalError(
          'already-ended',
          `Evaluation ${id} has ended (${status}); there is nothing to cancel.`,
        );
      if (!hasEnded(status) && expect === 'ended')
        throw new SaeEvalError(
          'not-finished',
          `Evaluation ${id} is ${status}; cancel it before you remove it.`,
        );
      if (hasEnded(status)) {
        queue.remove(id);
        return reply.code(204).send();
      }
      queue.cancel(id, { keep: keep === 'partial' });
      return reply.code(202).send(existingSummary(services, request, id));
    },
  });
}
