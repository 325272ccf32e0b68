/** `POST /v1/evaluations` and `/v1/evaluations/:id/rerun`: new evaluations, and old ones again. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { evaluationRecordSchema, hasEnded, longestWait } from '../../src/schema/record.js';
import { requestSchema } from '../../src/schema/request.js';
import { referenceTo } from '../base-path.js';
import { mergePatch } from '../merge-patch.js';
import type { Services } from '../services.js';
import { presenceOf } from '../presence.js';
import { submit, type Submission } from '../submission.js';
import { parseWith } from '../validation.js';
import { problems, type Api } from './api.js';
import { existingSummary, idParameters, recordText } from './records.js';

const waitQuery = z.strictObject({
  wait: z
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
const answers = {
  200: evaluationRecordSchema.describe('The record with its result: it ended within `wait`.'),
  202: evaluationRecordSchema.describe('The record; `Location` is its address.'),
};
const patchSchema = z
  .record(z.string(), z.unknown())
  .nullish()
  .describe(
    'JSON Merge Patch (RFC 7396) of the request in the record: objects are merged, lists are ' +
      'replaced whole, null takes a field back to its default. Left out: the same request.',
  )
  .meta({
    id: 'RequestPatch',
    examples: [{ name: 'more samples', dataset: { maxSamples: 40 } }],
  });

export function registerSubmissions(app: Api, services: Services): void {
  const { queue, options } = services;
  const config = {
    rateLimit: { max: options.submissionsPerMinute, timeWindow: 60_000, groupId: 'submit' },
  };

  /** Submits, waits if asked to, and answers with the record. */
  async function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    { wait, ...submission }: Submission & { wait: number | undefined },
  ): Promise<FastifyReply> {
    const signal = presenceOf(request, reply);
    const id = await submit(services, request, submission, signal);
    reply.header('location', referenceTo(`/v1/evaluations/${id}`, request));
    if (wait !== undefined && wait > 0) {
      await queue.waitForEnd(id, wait * 1000, signal);
      request.keyRevoked?.throwIfAborted();
    }
    const summary = existingSummary(services, request, id);
    return reply
      .code(wait !== undefined && hasEnded(summary.status) ? 200 : 202)
      .type('application/json; charset=utf-8')
      .send(recordText(services, summary));
  }

  app.route({
    method: 'POST',
    url: '/evaluations',
    config,
    schema: {
      operationId: 'submitEvaluation',
      tags: ['evaluations'],
      summary: 'Submit an evaluation',
      body: requestSchema,
      querystring: waitQuery,
      headers: submitHeaders,
      response: { ...answers, ...problems(400, 403, 406, 413, 415, 422, 429, 503) },
    },
    handler: (request, reply) =>
      answer(request, reply, {
        body: request.body,
        idempotencyKey: request.headers['idempotency-key'] ?? null,
        wait: request.query.wait,
      }) as never,
  });

  app.route({
    method: 'POST',
    url: '/evaluations/:id/rerun',
    config: { ...config, takesPatches: true },
    schema: {
      operationId: 'rerunEvaluation',
      tags: ['evaluations'],
      summary: 'Submit the request of an evaluation again, with or without changes',
      consumes: ['application/merge-patch+json', 'application/json'],
      params: idParameters,
      body: patchSchema,
      querystring: waitQuery,
      headers: submitHeaders,
      response: { ...answers, ...problems(400, 403, 404, 406, 413, 415, 422, 429, 500, 503) },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const { request: origin } = existingSummary(services, request, id);
      return answer(request, reply, {
        body: parseWith(requestSchema, mergePatch(origin, request.body ?? {})),
        idempotencyKey: request.headers['idempotency-key'] ?? null,
        rerunOf: id,
        wait: request.query.wait,
      }) as never;
    },
  });
}
