/**
 * `/v1/kinds`, `/metrics`, `/checkpoints`, `/models`, `/datasets`, `/devices`: everything that a
 * request can name.
 */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SaeEvalError } from '../../src/errors.js';
import type { Field, Metric } from '../../src/metrics/metric.js';
import { metrics, needsOf } from '../../src/metrics/table.js';
import { askedDevice } from '../../src/evaluation/run/device.js';
import { hidePaths } from '../../src/evaluation/request/path-table.js';
import { inspectCheckpoints } from '../../src/inspect/inspect.js';
import {
  checkpointDescriptionSchema,
  checkpointListSchema,
  datasetListSchema,
  deviceListSchema,
  kindListSchema,
  metricListSchema,
  modelListSchema,
  type Kind,
  type MetricEntry,
} from '../../src/schema/catalogue.js';
import { saeKinds } from '../../src/schema/names.js';
import { kindNamed } from '../../src/sae/kinds/kinds.js';
import type { Services } from '../services.js';
import { presenceOf } from '../presence.js';
import { clientOf } from '../submission.js';
import { takenBy } from '../jobs/waiting-for.js';
import { problems, type Api } from './api.js';
import { mayKnow } from './records.js';

const inspectQuery = z.strictObject({
  path: z
    .string()
    .min(1)
    .max(4096)
    .refine((value) => !value.includes('\0'), 'must not contain a NUL character'),
});

/** Stand-ins that are told apart in the shapes a layout gives. */
const symbols = { d: 1_000_001, m: 1_000_003, R: 2 };
const symbolNames = new Map([
  [symbols.d, 'd'],
  [symbols.m, 'm'],
  [symbols.R, 'R'],
]);

function describeKind(kind: (typeof saeKinds)[number]): Kind {
  const { summary, layer, hasK, hasRouting, tensors } = kindNamed(kind);
  const shapes = Object.entries(tensors(symbols)).map(([name, shape]): [string, string[]] => [
    name,
    shape.map((size) => symbolNames.get(size) ?? String(size)),
  ]);
  return { kind, summary, layer, hasK, hasRouting, tensors: Object.fromEntries(shapes) };
}

function describeMetric(metric: Metric): MetricEntry {
  return {
    name: metric.name,
    needs: needsOf(metric),
    fields: metric.fields.map(
      ({ protocol, field, name, meaning, unit, better, shape, ...has }: Field) => {
        const { interval = false, perLayer = false, compared = false, inInputSpace = false } = has;
        return {
          ...{ protocol, field, name, meaning, unit, better, shape },
          ...{ interval, perLayer, compared, inInputSpace },
        };
      },
    ),
  };
}

export function registerCatalogue(app: Api, services: Services): void {
  const { catalogue, inspections, machine, options, queue, roots } = services;
  const runningOn = (device: string, request: FastifyRequest) => {
    const running = queue.workers.get(device)?.running ?? null;
    return {
      busy: running !== null,
      running: running !== null && mayKnow(services, request, running) ? running : null,
    };
  };
  const kinds = { items: saeKinds.map(describeKind) };

  app.route({
    method: 'GET',
    url: '/kinds',
    schema: {
      operationId: 'listKinds',
      tags: ['catalogue'],
      summary: 'List the kinds of SAE',
      response: { 200: kindListSchema.describe('The list.'), ...problems(406) },
    },
    handler: async () => kinds,
  });
  app.route({
    method: 'GET',
    url: '/metrics',
    schema: {
      operationId: 'listMetrics',
      tags: ['catalogue'],
      summary: 'Metrics with names, meaning, unit and direction',
      response: { 200: metricListSchema.describe('The list.'), ...problems(406) },
    },
    handler: async () => ({ items: metrics.map(describeMetric) }),
  });
  app.route({
    method: 'GET',
    url: '/checkpoints',
    schema: {
      operationId: 'listCheckpoints',
      tags: ['catalogue'],
      summary: 'List checkpoint files below the roots',
      response: { 200: checkpointListSchema.describe('The list.'), ...problems(406, 503) },
    },
    handler: async (request, reply) => catalogue.checkpoints(presenceOf(request, reply)),
  });
  app.route({
    method: 'GET',
    url: '/checkpoints/inspect',
    config: {
      rateLimit: { max: options.submissionsPerMinute, timeWindow: 60_000, groupId: 'inspect' },
    },
    schema: {
      operationId: 'inspectCheckpoint',
      tags: ['catalogue'],
      summary: 'Describe a checkpoint and the kinds it can be evaluated as',
      querystring: inspectQuery,
      response: {
        200: checkpointDescriptionSchema.describe('The checkpoint.'),
        ...problems(406, 422, 429, 503),
      },
    },
    handler: async (request, reply) => {
      const { path } = request.query;
      const file = await roots.resolveCheckpoint(path);
      const within = await roots.within(file);
      const turn = { client: clientOf(request), signal: presenceOf(request, reply) };
      const [answer] = await inspections.through(turn, (signal) =>
        inspectCheckpoints([file], {
          within,
          timeoutMs: options.inspectTimeout * 1000,
          signal,
        }),
      );
      if (answer === undefined || 'error' in answer) {
        const { code, message } = answer?.error ?? {
          code: 'internal',
          message: 'The inspection gave no answer.',
        };
        throw hidePaths(
          SaeEvalError.fromJSON({ code, message, fields: [{ path: 'path', message }] }),
          [{ name: path, path: file, within }],
        );
      }
      return { ...answer.ok, path };
    },
  });
  app.route({
    method: 'GET',
    url: '/models',
    schema: {
      operationId: 'listModels',
      tags: ['catalogue'],
      summary: 'List language models below the roots and in the Hugging Face cache',
      response: { 200: modelListSchema.describe('The list.'), ...problems(406, 503) },
    },
    handler: async (request, reply) => catalogue.models(presenceOf(request, reply)),
  });
  app.route({
    method: 'GET',
    url: '/datasets',
    schema: {
      operationId: 'listDatasets',
      tags: ['catalogue'],
      summary: 'List text files below the roots',
      response: { 200: datasetListSchema.describe('The list.'), ...problems(406) },
    },
    handler: async () => catalogue.datasets(),
  });
  app.route({
    method: 'GET',
    url: '/devices',
    schema: {
      operationId: 'listDevices',
      tags: ['catalogue'],
      summary: 'List the devices of the server',
      response: { 200: deviceListSchema.describe('The list.'), ...problems(406, 503) },
    },
    handler: async (request) => {
      if (machine.current === null)
        throw new SaeEvalError(
          'unavailable',
          'No compute process has answered ' +
            `yet${machine.problem === null ? '' : `: ${machine.problem}`}.`,
        );
      const { devices } = machine.current;
      const asked = askedDevice(
        undefined,
        devices.map(({ name }) => name),
      );
      return {
        items: devices.map((device) => ({
          ...device,
          ...queue.memoryOn(device.name),
          isDefault: takenBy(device.name).includes(asked),
          ...runningOn(device.name, request),
          queued: queue.queuedOn(device.name),
        })),
      };
    },
  });
}
