/** `/healthz`, `/readyz`, `/metrics`, `/problems/…`: operation of the server. */
import { z } from 'zod';
import { errorTable, SaeEvalError, type ErrorCode } from '../../src/errors.js';
import type { Services } from '../services.js';
import { problems, type Api } from './api.js';

const statusSchema = z.object({
  status: z.string(),
  version: z.string().optional(),
  versions: z.record(z.string(), z.string()).optional(),
});
const problemTypeSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
});

export function registerOperations(app: Api, { machine, metrics, queue }: Services): void {
  app.route({
    method: 'GET',
    url: '/healthz',
    config: { isPublic: true, rateLimit: false },
    schema: {
      operationId: 'health',
      tags: ['operations'],
      summary: 'Whether the server is alive',
      response: { 200: statusSchema.describe('It is.') },
    },
    handler: async () => ({ status: 'ok' }),
  });
  app.route({
    method: 'GET',
    url: '/readyz',
    config: { isPublic: true, rateLimit: false },
    schema: {
      operationId: 'ready',
      tags: ['operations'],
      summary: 'Whether evaluations can run: a compute process answers and the store is writable',
      response: { 200: statusSchema.describe('They can.'), ...problems(503) },
    },
    handler: async () => {
      if (queue.stopping) throw new SaeEvalError('unavailable', 'The server is stopping.');
      if (machine.current === null)
        throw new SaeEvalError(
          'unavailable',
          machine.problem ?? 'No compute process has answered yet.',
        );
      if (queue.problem !== null) throw new SaeEvalError('unavailable', queue.problem);
      const problem = queue.health.check();
      if (problem !== null)
        throw problem.code === 'storage-full'
          ? problem
          : new SaeEvalError('unavailable', problem.message);
      return { status: 'ready', versions: machine.current.versions };
    },
  });
  app.route({
    method: 'GET',
    url: '/metrics',
    config: { negotiates: true, rateLimit: false },
    schema: {
      operationId: 'metrics',
      tags: ['operations'],
      summary: 'Metrics for Prometheus',
      response: {
        200: {
          description: 'Metrics in the Prometheus text format.',
          content: { 'text/plain': { schema: z.string() } },
        },
      },
    },
    handler: async (_, reply) =>
      reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  });
  app.route({
    method: 'GET',
    url: '/problems/:code',
    schema: {
      operationId: 'problemType',
      tags: ['operations'],
      summary: 'Meaning of the `type` of a problem',
      params: z.object({ code: z.string().max(100) }),
      response: { 200: problemTypeSchema.describe('The type.'), ...problems(404, 406) },
    },
    handler: async (request) => {
      const { code } = request.params;
      if (!Object.hasOwn(errorTable, code))
        throw new SaeEvalError('not-found', `There is no problem type ${code}.`);
      const { title, status } = errorTable[code as ErrorCode];
      return { type: `/problems/${code}`, title, status };
    },
  });
}
