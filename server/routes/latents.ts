/** `/v1/evaluations/:id/latents`: the latents of an ended evaluation, one by one. */
import { createReadStream, existsSync, statSync } from 'node:fs';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { asSaeEvalError, SaeEvalError } from '../../src/errors.js';
import { hidePaths } from '../../src/evaluation/request/path-table.js';
import { latentSorts } from '../../src/schema/latent-sorts.js';
import { latentsSchema } from '../../src/schema/latents.js';
import { hasEnded } from '../../src/schema/record.js';
import { latentsBeside } from '../jobs/latents-beside.js';
import { presenceOf } from '../presence.js';
import type { Services } from '../services.js';
import { clientOf } from '../submission.js';
import { problems, type Api } from './api.js';
import { existingSummary, idParameters } from './records.js';

const parquetType = 'application/vnd.apache.parquet';
/** Most rows of an answer: each has its contexts. */
const mostRows = 500;

const latentsQuery = z.strictObject({
  sae: z.string().max(1000).optional().describe('Label of the SAE; default: the first.'),
  sort: z
    .enum(latentSorts)
    .optional()
    .describe('Column to sort by; rows without a value come last. Default: latent.'),
  order: z
    .enum(['asc', 'desc'])
    .optional()
    .describe('Direction; default: ascending by latent, else descending.'),
  limit: z.number().int().min(0).max(mostRows).default(50).describe('Number of rows.'),
  offset: z.number().int().min(0).default(0).describe('Rows that are left out before.'),
  latent: z.number().int().min(0).optional().describe('The one latent that is wanted.'),
  format: z
    .enum(['json', 'parquet'])
    .default('json')
    .describe('parquet: the whole table as a file, of all SAEs.'),
});

/** @throws SaeEvalError `not-found`; `not-finished` if it has not ended. */
function latentsOf(services: Services, caller: FastifyRequest, id: string): string {
  const { status } = existingSummary(services, caller, id);
  if (!hasEnded(status))
    throw new SaeEvalError(
      'not-finished',
      `Evaluation ${id} is ${status}; it has latents when it has ended.`,
    );
  const path = latentsBeside(services.store.sums.pathOf(id));
  if (!existsSync(path))
    throw new SaeEvalError(
      'not-found',
      `Evaluation ${id} (${status}) has no latents table: its request has no field latents.`,
    );
  return path;
}

export function registerLatents(app: Api, services: Services): void {
  app.route({
    method: 'GET',
    url: '/evaluations/:id/latents',
    schema: {
      operationId: 'getLatents',
      tags: ['reports'],
      summary: 'Get latents of an ended evaluation one by one, sorted, with their top contexts',
      params: idParameters,
      querystring: latentsQuery,
      response: {
        200: {
          description: 'Rows of the table, or the table as a file (docs/reference/latents.md).',
          content: {
            'application/json': { schema: latentsSchema },
            [parquetType]: { schema: z.any() },
          },
        },
        ...problems(404, 406, 409, 422, 500, 503),
      },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const path = latentsOf(services, request, id);
      const { format, ...query } = request.query;
      if (format === 'json') {
        const turn = { client: clientOf(request), signal: presenceOf(request, reply) };
        return services.reads.latents(path, query, turn).catch((thrown: unknown) => {
          // It may have been removed meanwhile.
          if (!existsSync(path))
            throw new SaeEvalError('not-found', `There is no evaluation ${id} any more.`);
          throw hidePaths(asSaeEvalError(thrown), [
            { name: `The latents of ${id}`, path, within: [] },
          ]);
        });
      }
      return reply
        .type(parquetType)
        .header('content-length', statSync(path).size)
        .header('content-disposition', `attachment; filename="${id}.latents.parquet"`)
        .send(createReadStream(path));
    },
  });
}
