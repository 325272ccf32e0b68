/** `/v1/evaluations`: submit, list, look up, cancel, remove. */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SaeEvalError } from '../../src/errors.js';
import { inspectRequest } from '../../src/evaluation/process/index.js';
import {
  evaluationListSchema, evaluationRecordSchema, evaluationStatuses, evaluationSummarySchema, hasEnded, longestWait, type EvaluationRecord,
} from '../../src/evaluation/schema/record.js';
import { requestSchema, type ResolvedRequest } from '../../src/evaluation/schema/request.js';
import { Roots } from '../roots.js';
import { defaultDevice, type Services } from '../services.js';
import { carrierOf } from '../tracing.js';
import { problems, type Api } from './api.js';

export const idParameters = z.object({ id: z.string().max(100) });

const waitQuery = z.object({
  wait: z.coerce.number().min(0).max(longestWait).optional().describe('Seconds to wait for the end; 200 with the result if it ends in time, else 202.'),
});
const submitHeaders = z.object({
  'idempotency-key': z.string().min(1).max(255).optional().describe('The same key and body give the same evaluation.'),
});
const listQuery = z.object({
  status: z.string().max(200).optional().describe('One status, or several separated by commas.')
    .transform((text) => text?.split(','))
    .pipe(z.array(z.enum(evaluationStatuses)).optional())
    .meta({ type: 'string' }),
  label: z.string().max(200).optional().describe('Only evaluations of an SAE with this label.'),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(100).optional().describe("`nextCursor` of the page before."),
});

const removeQuery = z.object({
  expect: z.enum(['active', 'ended']).optional().describe('`active`: only cancels, 409 for an evaluation that has ended. `ended`: only removes, 409 for one that has not. Default: whichever fits.'),
});

/** Name under which a caller takes part in fair order and limits. */
export function clientOf(request: FastifyRequest): string {
  return request.keyLabel ?? request.ip;
}

function cursorOf(seq: number): string {
  return Buffer.from(`seq:${seq}`).toString('base64url');
}

function seqOf(cursor: string): number {
  const seq = /^seq:(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString())?.[1];
  if (seq === undefined) throw new SaeEvalError('request-invalid', 'cursor: expected `nextCursor` of an earlier page.', { fields: [{ path: 'cursor', message: 'is not a cursor of this server' }] });
  return Number(seq);
}

/** The same for bodies that say the same: key order and defaults do not matter. */
function bodyHash(request: ResolvedRequest): string {
  const sorted = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(sorted)
    : typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]))
    : value;
  return createHash('sha256').update(JSON.stringify(sorted(request))).digest('hex');
}

export function existing(services: Services, id: string): EvaluationRecord {
  const record = services.store.record(id);
  if (record === null) throw new SaeEvalError('not-found', `There is no evaluation ${id}.`);
  return services.queue.withPresent(record);
}

/** A server that was started a moment ago does not know its devices yet: who comes early waits a little. */
const longestStart = 20_000;

async function deviceFor({ machine, queue }: Services, request: ResolvedRequest): Promise<string> {
  for (const until = Date.now() + longestStart; machine.current === null && machine.problem === null && !queue.stopping && Date.now() < until;) await setTimeout(50);
  if (machine.current === null) throw new SaeEvalError('unavailable', `No compute process has answered yet${machine.problem === null ? '' : `: ${machine.problem}`}.`);
  const present = machine.current.devices.map(({ name }) => name);
  const wanted = request.device === 'cuda' ? 'cuda:0' : (request.device ?? defaultDevice(machine.current));
  if (present.includes(wanted)) return wanted;
  const message = `expected one of ${present.join(', ')}, found ${request.device}${present.length === 1 ? ' (this machine has no CUDA device, or libtorch is a CPU build)' : ''}`;
  throw new SaeEvalError('device-unavailable', `device: ${message}`, { fields: [{ path: 'device', message }] });
}

/** Checks what a request names, in an inspect process, and stores it. */
async function submit(services: Services, caller: FastifyRequest, body: ResolvedRequest, idempotencyKey: string | null): Promise<string> {
  const { store, queue, roots, inspections, options } = services;
  const client = clientOf(caller);
  const hash = bodyHash(body);
  const known = idempotencyKey === null ? null : store.byIdempotencyKey(client, idempotencyKey);
  const same = (found: { id: string; bodyHash: string | null }): string => {
    if (found.bodyHash !== hash) throw new SaeEvalError('idempotency-mismatch', 'This Idempotency-Key came with another body before; use a new key for a new request.', { fields: [{ path: 'Idempotency-Key', message: 'was used with another body' }] });
    return found.id;
  };
  if (known !== null) return same(known);
  const device = await deviceFor(services, body);
  const giveBack = queue.reserve(client);
  try {
    const paths = await roots.table(body);
    const checked = await inspections.through(() => inspectRequest(body, paths, { timeoutMs: options.inspectTimeout * 1000 })).catch((thrown: unknown) => {
      throw thrown instanceof SaeEvalError ? Roots.hide(thrown, paths) : thrown;
    });
    return same(queue.submit({ id: randomUUID(), device, submittedBy: caller.keyLabel, client, request: { ...checked, device }, paths, idempotencyKey, bodyHash: hash, trace: carrierOf(caller.traceContext) }));
  } finally {
    giveBack();
  }
}

/** A signal that is aborted when the caller goes away. */
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
    config: { rateLimit: { max: options.submissionsPerMinute, timeWindow: 60_000, groupId: 'submit' } },
    schema: {
      operationId: 'submitEvaluation',
      tags: ['evaluations'],
      summary: 'Submit an evaluation',
      body: requestSchema,
      querystring: waitQuery,
      headers: submitHeaders,
      response: { 200: evaluationRecordSchema, 202: evaluationRecordSchema, ...problems(400, 406, 413, 415, 422, 429, 503) },
    },
    handler: async (request, reply) => {
      const id = await submit(services, request, request.body, request.headers['idempotency-key'] ?? null);
      reply.header('location', `/v1/evaluations/${id}`);
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
      summary: 'List evaluations, newest first',
      querystring: listQuery,
      response: { 200: evaluationListSchema, ...problems(406, 422) },
    },
    handler: async (request) => {
      const { status, label, limit, cursor } = request.query;
      const { items, next } = store.list({
        limit,
        ...(status === undefined ? {} : { statuses: status }),
        ...(label === undefined ? {} : { label }),
        ...(cursor === undefined ? {} : { before: seqOf(cursor) }),
      });
      return { items: items.map((item) => queue.withPresent(item)), nextCursor: next === null ? null : cursorOf(next) };
    },
  });

  app.route({
    method: 'GET',
    url: '/evaluations/:id',
    schema: {
      operationId: 'getEvaluation',
      tags: ['evaluations'],
      summary: 'Look up an evaluation with its result',
      params: idParameters,
      response: { 200: evaluationRecordSchema, ...problems(404, 406) },
    },
    handler: async (request) => existing(services, request.params.id),
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
      response: { 202: evaluationSummarySchema, 204: z.undefined().describe('Removed.'), ...problems(404, 409, 422, 503) },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const { expect } = request.query;
      const { status } = existing(services, id);
      if (hasEnded(status) && expect === 'active') throw new SaeEvalError('already-ended', `Evaluation ${id} has ended (${status}); there is nothing to cancel.`);
      if (!hasEnded(status) && expect === 'ended') throw new SaeEvalError('not-finished', `Evaluation ${id} is ${status}; cancel it before it is removed.`);
      if (hasEnded(status)) {
        store.remove(id);
        return reply.code(204).send();
      }
      queue.cancel(id);
      const { result: _, ...summary } = existing(services, id);
      return reply.code(202).send(summary);
    },
  });
}
