/** `/v1/evaluations/:id/report` and `/v1/reports`: rendered results. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SaeEvalError } from '../../src/errors.js';
import {
  comparisonRequestSchema,
  hasEnded,
  reportFormats,
  reportLanguages,
  type ReportFormat,
} from '../../src/schema/record.js';
import { negotiateLanguage } from '../negotiate.js';
import { presenceOf } from '../presence.js';
import type { ReportSettings } from '../result-readers.js';
import type { Services } from '../services.js';
import { clientOf } from '../submission.js';
import { htmlPolicy } from '../../src/report/html-policy.js';
import { acceptable, problems, type Api } from './api.js';
import { existingSummary, idParameters } from './records.js';

const mediaTypes: Record<ReportFormat, string> = {
  md: 'text/markdown',
  html: 'text/html',
  json: 'application/json',
  csv: 'text/csv',
};
const sumsType = 'application/octet-stream';

const reportQuery = z.strictObject({
  format: z
    .enum(reportFormats)
    .optional()
    .describe('Format of the report; default: by the Accept header.'),
  lang: z
    .enum(reportLanguages)
    .optional()
    .describe('Language of the report; default: by Accept-Language, else en.'),
});
const documents = {
  200: {
    description: 'The report.',
    content: Object.fromEntries(
      Object.values(mediaTypes).map((type) => [type, { schema: z.string() }]),
    ),
  },
};

/** @throws SaeEvalError `not-found`; `not-finished` if the evaluation has no result. */
function refuseUnlessReady(services: Services, caller: FastifyRequest, id: string): void {
  const { status } = existingSummary(services, caller, id);
  if (!hasEnded(status))
    throw new SaeEvalError(
      'not-finished',
      `Evaluation ${id} is ${status}; it has a report when it has ended.`,
    );
  if (!services.store.evaluations.hasResult(id))
    throw new SaeEvalError(
      'not-finished',
      `Evaluation ${id} ${status === 'failed' ? '' : 'was '}${status} and has no result.`,
    );
}

async function sendReport(
  services: Services,
  reply: FastifyReply,
  ids: readonly string[],
  settings: ReportSettings,
): Promise<FastifyReply> {
  const { request } = reply;
  for (const id of ids) refuseUnlessReady(services, request, id);
  const text = await services.reports.render(
    {
      count: ids.length,
      read: (index) => {
        const id = ids[index]!;
        // It may have been removed meanwhile.
        const found = services.store.evaluations.resultText(id);
        if (found === null)
          throw new SaeEvalError('not-found', `There is no evaluation ${id} any more.`);
        return found;
      },
    },
    settings,
    { client: clientOf(request), signal: presenceOf(request, reply) },
  );
  const { format, lang } = settings;
  if (format === 'html') reply.header('content-security-policy', reportPolicy);
  return reply
    .type(`${mediaTypes[format]}; charset=utf-8`)
    .header('content-language', lang)
    .header(
      'content-disposition',
      `inline; filename="sae-eval-${ids[0]!.replaceAll(/[^\w-]/g, '')}.${lang}.${format}"`,
    )
    .send(text);
}

/** The policy that the file has too, and where it may be framed. */
const reportPolicy = `${htmlPolicy}; frame-ancestors 'self'`;

export function registerReports(app: Api, services: Services): void {
  app.route({
    method: 'GET',
    url: '/evaluations/:id/report',
    config: { negotiates: true },
    schema: {
      operationId: 'getReport',
      tags: ['reports'],
      summary: 'Get the report of an ended evaluation',
      params: idParameters,
      querystring: reportQuery,
      response: { ...documents, ...problems(404, 406, 409, 422, 500, 503) },
    },
    handler: async (request, reply) => {
      reply.header('vary', 'accept, accept-language');
      const {
        lang = negotiateLanguage(request.headers['accept-language'], reportLanguages) ?? 'en',
      } = request.query;
      let { format } = request.query;
      if (format === undefined) {
        const type = acceptable(request, Object.values(mediaTypes));
        format = reportFormats.find((name) => mediaTypes[name] === type)!;
      }
      return sendReport(services, reply, [request.params.id], {
        format,
        lang,
        languageOfReader: request.query.lang === undefined,
      });
    },
  });

  app.route({
    method: 'GET',
    url: '/evaluations/:id/sums',
    config: { negotiates: true },
    schema: {
      operationId: 'getSums',
      tags: ['reports'],
      summary: 'Get the sums of an ended evaluation, a row for each sequence, as safetensors',
      params: idParameters,
      response: {
        200: {
          description: 'A safetensors file (docs/reference/sums.md).',
          content: { [sumsType]: { schema: z.any() } },
        },
        ...problems(404, 406, 409),
      },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      acceptable(request, [sumsType]);
      const { status } = existingSummary(services, request, id);
      if (!hasEnded(status))
        throw new SaeEvalError(
          'not-finished',
          `Evaluation ${id} is ${status}; it has sums when it has ended.`,
        );
      const path = services.store.sums.pathOf(id);
      const size = await stat(path).then(
        (found) => found.size,
        () => null,
      );
      if (size === null)
        throw new SaeEvalError('not-found', `Evaluation ${id} (${status}) has no sums.`);
      return reply
        .type(sumsType)
        .header('content-length', size)
        .header('content-disposition', `attachment; filename="${basename(path)}"`)
        .send(createReadStream(path));
    },
  });

  app.route({
    method: 'POST',
    url: '/reports',
    config: { negotiates: true, isReading: true },
    schema: {
      operationId: 'compareEvaluations',
      tags: ['reports'],
      summary: 'Render a comparison of several evaluations; it is not stored',
      body: comparisonRequestSchema,
      response: { ...documents, ...problems(400, 404, 409, 413, 415, 422, 500, 503) },
    },
    handler: async (request, reply) => {
      const { evaluations, format, lang } = request.body;
      return sendReport(services, reply, evaluations, { format, lang });
    },
  });
}
