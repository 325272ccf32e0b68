/** `/v1/evaluations`: submit, list, get, cancel, remove. */
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { SaeEvalError } from '../../src/errors.js';
import {
  evaluationRecordSchema,
  evaluationStatuses,
  evaluationSummarySchema,
  hasEnded,
  longestWait,
  type EvaluationRecord,
  type EvaluationSummary,
} from '../../src/schema/record.js';
import { evaluationListSchema, listSorts, sortOrders } from '../../src/schema/list.js';
import { requestSchema } from '../../src/schema/request.js';
import { referenceTo } from '../base-path.js';
import { defaultOrder } from '../jobs/listing.js';
import type { Services } from '../services.js';
import { submit } from '../submission.js';
import { problems, type Api } from './api.js';
import { cursorOf, placeOf } from './cursor.js';

export const idParameters = z.object({ id: z.string().max(100) });

const waitQuery = z.object({
  wait: z.coerce
    .number()
    .min(0)
    .max(longestWait)
    .optional()
    .describe('Seconds to wait for the end: 200 with the result if it ends in time, else 202.'),
});
const submitHeaders = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('Key of this submission: the same key and body give the same evaluation.'),
});
const listQuery = z.object({
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
    .union([z.string().max(100), z.array(z.string().max(100)).max(50)])
    .optional()
    .describe('Lists only evaluations with this tag; may be given several times: with all of them.')
    .transform((tags) => (tags === undefined ? [] : [tags].flat()))
    .meta({ type: 'array', items: { type: 'string' } }),
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
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z
    .string()
    .max(2000)
    .optional()
    .describe('`nextCursor` of the previous page, with the same parameters.'),
});

const getQuery = z.object({
  fields: z
    .enum(['all', 'summary'])
    .default('all')
    .describe('`summary`: without the result, as in the list, which is quick however large it is.'),
});

const removeQuery = z.object({
  expect: z
    .enum(['active', 'ended'])
    .optional()
    .describe(
      '`active`: cancels, or answers 409 if the evaluation has ended. `ended`: removes, or ' +
        'answers 409 if it has not ended. Default: cancels or removes, by the state.',
    ),
});

export function existing(services: Services, id: string): EvaluationRecord {
  const record = services.store.record(id);
  if (record === null) throw new SaeEvalError('not-found', `There is no evaluation ${id}.`);
  return services.queue.withPresent(record);
}

/** An evaluation without its result, which may be large. */
export function existingSummary({ store, queue }: Services, id: string): EvaluationSummary {
  const summary = store.summary(id);
  if (summary === null) throw new SaeEvalError('not-found', `There is no evaluation ${id}.`);
  return queue.withPresent(summary);
}

/** A signal that aborts when the caller disconnects. */
function whenGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort());
  return controller.signal;
}

export function registerEvaluations(app: Api, services: Services): void {
  const { store, queue, options } = services;

  app.route({
    method: 'POST',
    url: '/evaluations',
    config: {
      rateLimit: { max: options.submissionsPerMinute, timeWindow: 60_000, groupId: 'submit' },
    },
    schema: {
      operationId: 'submitEvaluation',
      tags: ['evaluations'],
      summary: 'Submit an evaluation',
      body: requestSchema,
      querystring: waitQuery,
      headers: submitHeaders,
      response: {
        200: evaluationRecordSchema,
        202: evaluationRecordSchema,
        ...problems(400, 406, 413, 415, 422, 429, 503),
      },
    },
    handler: async (request, reply) => {
      const id = await submit(
        services,
        request,
        request.body,
        request.headers['idempotency-key'] ?? null,
      );
      reply.header('location', referenceTo(`/v1/evaluations/${id}`, request));
      const { wait } = request.query;
      if (wait !== undefined && wait > 0) await queue.waitForEnd(id, wait * 1000, whenGone(reply));
      const record = existing(services, id);
      return reply.code(wait !== undefined && hasEnded(record.status) ? 200 : 202).send(record);
    },
  });

  app.route({
    method: 'GET',
    url: '/evaluations',
    schema: {
      operationId: 'listEvaluations',
      tags: ['evaluations'],
      summary: 'List evaluations',
      querystring: listQuery,
      response: { 200: evaluationListSchema, ...problems(406, 422) },
    },
    handler: async (request) => {
      const { status, tag, cursor, ...rest } = request.query;
      const { sort, order = defaultOrder(sort) } = rest;
      const { items, damaged, next } = store.list({
        ...rest,
        tags: tag,
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
        200: evaluationSummarySchema.extend({
          result: evaluationRecordSchema.shape.result.optional(),
        }),
        ...problems(404, 406, 422, 500),
      },
    },
    handler: async (request) =>
      request.query.fields === 'summary'
        ? existingSummary(services, request.params.id)
        : existing(services, request.params.id),
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
        202: evaluationSummarySchema,
        204: z.undefined().describe('The evaluation was removed.'),
        ...problems(404, 409, 422, 503),
      },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const { expect } = request.query;
      const status = store.status(id);
      if (status === null) throw new SaeEvalError('not-found', `There is no evaluation ${id}.`);
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
        queue.health.write(() => store.remove(id));
        return reply.code(204).send();
      }
      queue.cancel(id);
      return reply.code(202).send(existingSummary(services, id));
    },
  });
}
