/**
 * OpenTelemetry, as operations.md shows it: one trace from the caller through the request and the
 * evaluation to each batch.
 */
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SaeEvalClient } from '#src/client/index.js';
import {
  packageRoot,
  post,
  smallRequest,
  spawnServer,
  temporaryFolder,
  until,
  untilReady,
  type ServerProcess,
} from './harness.js';

const folder = temporaryFolder();
const spansFile = join(folder.path, 'spans');
const tracingFile = join(folder.path, 'tracing.mjs');
let server: ServerProcess;

interface Span {
  name: string;
  traceId: string;
  spanId: string;
  parent: string | null;
  attributes: Record<string, unknown>;
  status: number;
  pid: number;
}
const spans = (): Span[] =>
  existsSync(spansFile)
    ? readFileSync(spansFile, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Span)
    : [];

beforeAll(async () => {
  // The document's file as it stands, but for the exporter and its delay.
  const example = /```js\n(\/\/ tracing\.mjs\n[\s\S]*?)```/.exec(
    readFileSync(`${packageRoot}docs/reference/operations.md`, 'utf8'),
  )![1]!;
  const exporter = new URL('./fixtures/line-exporter.mjs', import.meta.url).href;
  expect(example).toContain('new ConsoleSpanExporter()');
  writeFileSync(
    tracingFile,
    'import { LineExporter } from ' +
      `'${exporter}';\n` +
      example.replace('new ConsoleSpanExporter()', 'new LineExporter()').replace('1000', '50'),
  );
  symlinkSync(join(packageRoot, 'node_modules'), join(folder.path, 'node_modules'));
  server = await spawnServer(
    folder.path,
    { SPANS_FILE: spansFile, SAE_EVAL_PASS_ENV: 'SPANS_FILE' },
    ['--import', tracingFile],
  );
  await untilReady(server.url);
});
afterAll(async () => {
  server.child.kill('SIGTERM');
  await server.ended;
  folder.remove();
});

describe('traces', () => {
  const caller = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };

  it(
    'lead from the caller through the request and the evaluation to each batch in the ' +
      'compute process',
    async () => {
      const client = new SaeEvalClient(server.url);
      const accepted = await post(server.url, smallRequest(), {
        traceparent: `00-${caller.traceId}-${caller.spanId}-01`,
      });
      const { id } = (await accepted.json()) as { id: string };
      for await (const _ of client.watch(id));
      await until(() => spans().filter(({ traceId }) => traceId === caller.traceId).length >= 6, {
        what: 'the spans',
      });
      const own = spans().filter(({ traceId }) => traceId === caller.traceId);
      const named = (name: string): Span[] => own.filter((span) => span.name === name);
      const [request] = named('POST /v1/evaluations');
      expect(request).toMatchObject({
        parent: caller.spanId,
        pid: server.child.pid,
        attributes: {
          'http.request.method': 'POST',
          'http.route': '/v1/evaluations',
          'http.response.status_code': 202,
        },
      });
      const [evaluation] = named('evaluation');
      expect(evaluation).toMatchObject({
        parent: request!.spanId,
        pid: server.child.pid,
        attributes: {
          'sae_eval.evaluation.id': id,
          'sae_eval.status': 'succeeded',
          'sae_eval.device': 'cpu',
        },
      });
      const [compute] = named('compute');
      expect(compute!.parent).toBe(evaluation!.spanId);
      expect(compute!.pid).not.toBe(server.child.pid);
      expect(named('load').map(({ parent }) => parent)).toEqual([compute!.spanId]);
      // 8 samples in batches of 4.
      expect(
        named('batch').map(({ parent, attributes }) => [parent, attributes['sae_eval.samples']]),
      ).toEqual([
        [compute!.spanId, 4],
        [compute!.spanId, 8],
      ]);
    },
  );

  it('are the own ones of requests without a caller', async () => {
    const wrong = await post(
      server.url,
      smallRequest({
        dataset: { path: 'checkpoints/eval', maxSamples: 400, seqLen: 512 },
        batchSize: 64,
      }),
    );
    const { id } = (await wrong.json()) as { id: string };
    const client = new SaeEvalClient(server.url);
    await until(async () => (await client.get(id)).status === 'running', {
      what: 'the evaluation to run',
    });
    await client.cancel(id);
    const evaluation = (): Span | undefined =>
      spans().find(({ attributes }) => attributes['sae_eval.evaluation.id'] === id);
    await until(() => evaluation() !== undefined, { what: 'the span of the evaluation' });
    expect(evaluation()).toMatchObject({ attributes: { 'sae_eval.status': 'cancelled' } });
    const request = spans().find(({ spanId }) => spanId === evaluation()!.parent);
    expect(request).toMatchObject({
      name: 'POST /v1/evaluations',
      parent: null,
      traceId: evaluation()!.traceId,
    });
    expect(
      spans().filter(({ name, parent }) => name === 'GET /v1/evaluations/:id' && parent === null)
        .length,
    ).toBeGreaterThan(0);
  });
});
