/**
 * Requests made from the server's own OpenAPI document, valid and not: never a 5xx, always a
 * documented status.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { full } from '../../full.js';
import { serve, smallRequest, temporaryFolder, untilReady } from '../harness.js';

const folder = temporaryFolder();
let server: RunningServer;
const id = { known: '' };

beforeAll(async () => {
  server = await serve(folder.path, {
    requestsPerMinute: 10_000_000,
    submissionsPerMinute: 10_000_000,
  });
  await untilReady(server.url);
  const answer = await fetch(`${server.url}/v1/evaluations?wait=60`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(smallRequest()),
  });
  id.known = (await answer.json()).id;
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

interface Schema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
}
interface Operation {
  method: string;
  path: string;
  parameters: { name: string; in: string; schema: Schema }[];
  body: Schema | null;
  statuses: string[];
}

const anything = fc.jsonValue({ maxDepth: 2 });
const nasty = fc.constantFrom(
  '',
  '\0',
  '../../etc/passwd',
  '/etc/passwd',
  '%2e%2e%2f',
  'checkpoints/TopK_tiny.pt',
  'checkpoints/tiny-llama',
  'checkpoints/eval',
  '__proto__',
  'a'.repeat(5000),
  '💥',
  '\ud800',
  "'; DROP TABLE evaluations; --",
);

/** Values of a schema, now and then of none. */
function valuesOf(
  schema: Schema,
  schemas: Record<string, Schema>,
  depth = 0,
): fc.Arbitrary<unknown> {
  const fitting = ((): fc.Arbitrary<unknown> => {
    if (schema.$ref !== undefined)
      return valuesOf(schemas[schema.$ref.split('/').at(-1)!]!, schemas, depth + 1);
    if (schema.const !== undefined) return fc.constant(schema.const);
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    if (schema.anyOf !== undefined)
      return fc.oneof(...schema.anyOf.map((option) => valuesOf(option, schemas, depth + 1)));
    if (schema.type === 'object') {
      const entries = Object.entries(schema.properties ?? {});
      return fc.record(
        Object.fromEntries(entries.map(([name, own]) => [name, valuesOf(own, schemas, depth + 1)])),
        { requiredKeys: schema.required ?? [] },
      );
    }
    if (schema.type === 'array')
      return fc.array(valuesOf(schema.items ?? {}, schemas, depth + 1), { maxLength: 3 });
    if (schema.type === 'integer' || schema.type === 'number')
      return fc.oneof(
        fc.integer({
          min: schema.minimum ?? -5,
          max: Math.min(schema.maximum ?? 100, 2 ** 31 - 1),
        }),
        fc.double(),
        fc.constantFrom(0, -1, 1e308, 2 ** 53),
      );
    if (schema.type === 'boolean') return fc.boolean();
    if (schema.type === 'string')
      return fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), nasty);
    return anything;
  })();
  return fc.oneof({ weight: 12, arbitrary: fitting }, { weight: 1, arbitrary: anything });
}

function operationsOf(document: { paths: Record<string, Record<string, unknown>> }): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, raw]) => {
      const operation = raw as {
        parameters?: Operation['parameters'];
        requestBody?: { content: Record<string, { schema: Schema }> };
        responses: Record<string, unknown>;
      };
      return {
        method: method.toUpperCase(),
        path,
        parameters: operation.parameters ?? [],
        body: operation.requestBody?.content['application/json']?.schema ?? null,
        statuses: Object.keys(operation.responses),
      };
    }),
  );
}

/** Statuses that every route may answer with beside its own. */
const everywhere = ['304', '404', '406', '415', '422', '429', '503'];

describe('fuzzing from /openapi.json', () => {
  const runs = full ? 5000 : 80;
  it(
    `${runs} requests: no 5xx, no undocumented status`,
    { timeout: full ? 900_000 : 120_000 },
    async () => {
      const document = await (await fetch(`${server.url}/openapi.json`)).json();
      const schemas = document.components.schemas as Record<string, Schema>;
      const operations = operationsOf(document);
      expect(operations.length).toBeGreaterThan(14);
      const requests = fc.constantFrom(...operations).chain((operation) =>
        fc.record({
          operation: fc.constant(operation),
          parameters: fc.tuple(
            ...operation.parameters.map((parameter) =>
              fc.tuple(
                fc.constant(parameter),
                fc.option(
                  parameter.name === 'id'
                    ? fc.oneof(fc.constant('KNOWN'), valuesOf(parameter.schema, schemas))
                    : valuesOf(parameter.schema, schemas),
                ),
              ),
            ),
          ),
          body:
            operation.body === null ? fc.constant(undefined) : valuesOf(operation.body, schemas),
          accept: fc.constantFrom(
            undefined,
            undefined,
            'application/json',
            '*/*',
            'text/html',
            ';;;',
            'text/event-stream',
          ),
        }),
      );
      const counts = new Map<number, number>();
      await fc.assert(
        fc.asyncProperty(requests, async ({ operation, parameters, body, accept }) => {
          let path = operation.path;
          const query = new URLSearchParams();
          const headers: Record<string, string> =
            body === undefined ? {} : { 'content-type': 'application/json' };
          if (accept !== undefined) headers['accept'] = accept;
          for (const [{ name, in: place }, value] of parameters) {
            const text =
              value === 'KNOWN'
                ? id.known
                : typeof value === 'string'
                  ? value
                  : (JSON.stringify(value) ?? '');
            const safe = text.toWellFormed();
            if (place === 'path')
              path = path.replace(
                `{${name}}`,
                encodeURIComponent(safe === '' || safe === '.' || safe === '..' ? 'x' : safe),
              );
            // Waiting for an end is tested elsewhere and would take its time here.
            else if (place === 'query' && value !== null && name !== 'wait') query.set(name, safe);
            else if (place === 'header' && value !== null && /^[\x21-\x7e]{1,200}$/.test(safe))
              headers[name] = safe;
          }
          // A valid evaluation computes for a while: three samples are enough.
          const capped =
            body === undefined
              ? null
              : JSON.stringify(body, (key, value: unknown) =>
                  key === 'maxSamples' && typeof value === 'number' && value > 3 ? 3 : value,
                );
          const response = await fetch(`${server.url}${path}?${query.toString()}`, {
            method: operation.method,
            headers,
            body: capped,
            signal: AbortSignal.timeout(20_000),
          });
          if (response.headers.get('content-type')?.startsWith('text/event-stream') === true)
            await response.body?.cancel();
          else await response.arrayBuffer();
          counts.set(response.status, (counts.get(response.status) ?? 0) + 1);
          expect(
            response.status === 503 ? 503 : Math.floor(response.status / 100),
            `${operation.method} ${path} → ${response.status}`,
          ).not.toBe(5);
          expect([...operation.statuses, ...everywhere]).toContain(String(response.status));
        }),
        { numRuns: runs, seed: 42, endOnFailure: true },
      );
      expect([...counts.keys()]).toEqual(expect.arrayContaining([200, 422, 404]));
      expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    },
  );
});
