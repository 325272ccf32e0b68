/**
 * Evaluations through a server started as a user would: the numbers, the events, cancellation,
 * responsiveness.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  SaeEvalClient,
  type EvaluationEvent,
  type EvaluationRequest,
  type EvaluationResult,
} from '#src/client/index.js';
import { full } from '../../full.js';
import {
  packageRoot,
  post,
  serve,
  smallRequest,
  spawnServer,
  temporaryFolder,
  until,
  untilReady,
  type ServerProcess,
} from '../harness.js';

const folder = temporaryFolder();
let server: ServerProcess;
let client: SaeEvalClient;

beforeAll(async () => {
  server = await spawnServer(folder.path);
  client = new SaeEvalClient(server.url);
  await untilReady(server.url);
});
afterAll(async () => {
  server.child.kill('SIGTERM');
  await server.ended;
  folder.remove();
});

interface GoldenCase {
  name: string;
  config: { seqLen: number; maxSamples: number; batchSize: number; inferK?: number };
  results: Record<
    string,
    {
      NormMSE: number;
      KLDiv?: number;
      routedPositions?: number[];
      NormMSEPerLayer?: number[];
      KLDivPerLayer?: number[];
      layer?: number;
    }
  >;
}
const golden = JSON.parse(readFileSync(`${packageRoot}test/golden/expected.json`, 'utf8')) as {
  cases: GoldenCase[];
};
const goldenCase = (name: string): GoldenCase => golden.cases.find((item) => item.name === name)!;

function goldenRequest({ config, results }: GoldenCase): EvaluationRequest {
  const kinds = Object.keys(results) as NonNullable<EvaluationRequest['saes'][number]['kind']>[];
  return {
    model: 'checkpoints/tiny-llama',
    dataset: { path: 'checkpoints/eval', maxSamples: config.maxSamples, seqLen: config.seqLen },
    batchSize: config.batchSize,
    protocol: ['reference'],
    metrics: ['NormMSE', 'KLDiv', 'RoutingShare'],
    ...(config.inferK === undefined ? {} : { inferK: config.inferK }),
    saes: kinds.map((kind) => ({
      kind,
      checkpoint: `checkpoints/${kind === 'RandomK' ? 'TopK' : kind}_tiny.pt`,
      ...(['TopK', 'Vanilla', 'Gated', 'JumpReLU'].includes(kind) ? { layer: 16 } : {}),
      ...(['TopK', 'RouteSAE', 'MLSAE', 'RandomK'].includes(kind) ? { k: 16 } : {}),
    })),
  };
}

/**
 * Float32 arithmetic in another order: 1e-4 relative for NormMSE, 1e-3 for KL, which sums small
 * differences of logits.
 */
function expectGolden({ results }: EvaluationResult, { results: expected }: GoldenCase): void {
  for (const [kind, numbers] of Object.entries(expected)) {
    const result = results.find((item) => item.kind === kind)!;
    const near = (
      found: number | null | undefined,
      wanted: number,
      tolerance: number,
      what: string,
    ): void => {
      expect(
        Math.abs((found ?? Number.NaN) / wanted - 1),
        `${kind} ${what}: ${found} against ${wanted}`,
      ).toBeLessThan(tolerance);
    };
    near(result.reference?.NormMSE, numbers.NormMSE, 1e-4, 'NormMSE');
    if (numbers.KLDiv !== undefined) near(result.reference?.KLDiv, numbers.KLDiv, 1e-3, 'KLDiv');
    // A token whose two best layers tie in float32 may be counted on the other one.
    numbers.routedPositions?.forEach((count, index) =>
      expect(Math.abs(result.reference!.RoutedPositions![index]! - count)).toBeLessThanOrEqual(2),
    );
    numbers.NormMSEPerLayer?.forEach((value, index) =>
      near(result.perLayer?.[index]?.reference?.NormMSE, value, 1e-4, `NormMSE of layer ${index}`),
    );
    numbers.KLDivPerLayer?.forEach((value, index) =>
      near(result.perLayer?.[index]?.reference?.KLDiv, value, 1e-3, `KLDiv of layer ${index}`),
    );
    if (numbers.layer !== undefined) expect(result.layer).toBe(numbers.layer);
  }
}

describe('the numbers', () => {
  it.runIf(full)(
    'equal those of the PyTorch scripts, by plain fetch and by the client, while the ' +
      'server stays responsive',
    { timeout: full ? 900_000 : 120_000 },
    async () => {
      const chosen = goldenCase(full ? 'main' : 'inferK');
      const accepted = await post(server.url, goldenRequest(chosen), {
        'idempotency-key': 'golden',
      });
      expect(accepted.status).toBe(202);
      const location = new URL(accepted.headers.get('location')!, accepted.url);
      let answers = 0;
      let record = await (await fetch(location)).json();
      while (['queued', 'running'].includes(record.status)) {
        expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
        answers += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
        record = await (await fetch(location)).json();
      }
      expect(record.error).toBeNull();
      expectGolden(record.result, chosen);
      // A loop that is not free would answer once in a batch.
      expect(answers).toBeGreaterThan(record.progress.batches);

      // In the short run the client finds the evaluation that fetch submitted; in the long one it
      // is computed again.
      const again = await client.evaluate(
        goldenRequest(chosen),
        full ? { wait: true } : { wait: true, idempotencyKey: 'golden' },
      );
      expect(again.id === record.id).toBe(!full);
      expectGolden(again.result!, chosen);
      expect(JSON.stringify(again.result!.results)).toBe(JSON.stringify(record.result.results));
    },
  );
});

describe('events', () => {
  it('are the same for many watchers, resume after any of them, and end with 204', async () => {
    const { id } = await client.evaluate(
      smallRequest({ dataset: { path: 'checkpoints/eval', maxSamples: 64, seqLen: 64 }, seed: 5 }),
    );
    const watchers = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const events: EvaluationEvent[] = [];
        for await (const event of client.watch(id)) events.push(event);
        return events;
      }),
    );
    for (const events of watchers) {
      const ids = events.map((event) => Number(event.id));
      expect(ids).toEqual([...ids].sort((a, b) => a - b));
      expect(new Set(ids).size).toBe(ids.length);
      expect(events.at(-1)).toMatchObject({ event: 'end', data: { id, status: 'succeeded' } });
      expect(events.some(({ event }) => event === 'progress')).toBe(true);
    }
    const record = await client.get(id);
    expect(watchers[0]!.findLast(({ event }) => event === 'result')?.data).toEqual(
      record.result!.results[0],
    );

    const events = watchers[0]!;
    const afterwards: EvaluationEvent[] = [];
    for await (const event of client.watch(id, { lastEventId: events.at(-2)!.id }))
      afterwards.push(event);
    expect(afterwards).toEqual([events.at(-1)]);
    const nothing = await fetch(`${server.url}/v1/evaluations/${id}/events`, {
      headers: { 'last-event-id': events.at(-1)!.id },
    });
    expect(nothing.status).toBe(204);
    expect(
      (
        await fetch(`${server.url}/v1/evaluations/${id}/events`, {
          headers: { accept: 'application/json' },
        })
      ).status,
    ).toBe(406);
  });
});

describe('event streams', () => {
  it('are counted for each client', async () => {
    const other = temporaryFolder();
    const limited = await serve(other.path, { maxWatchersPerClient: 2 });
    try {
      await untilReady(limited.url);
      const { id } = await new SaeEvalClient(limited.url).evaluate(
        smallRequest({
          dataset: { path: 'checkpoints/eval', maxSamples: 400, seqLen: 256 },
          batchSize: 64,
        }),
      );
      const open = (): Promise<Response> => fetch(`${limited.url}/v1/evaluations/${id}/events`);
      const [first, second] = [await open(), await open()];
      expect([first.status, second.status]).toEqual([200, 200]);
      const refused = await open();
      expect({
        status: refused.status,
        code: (await refused.json()).code,
        retryAfter: refused.headers.get('retry-after'),
      }).toEqual({ status: 503, code: 'unavailable', retryAfter: '5' });
      await first.body!.cancel();
      await until(
        async () => {
          const again = await open();
          await again.body!.cancel();
          return again.status === 200;
        },
        { what: 'room for another' },
      );
      await second.body!.cancel();
    } finally {
      await limited.close();
      other.remove();
    }
  });
});

describe('cancellation', () => {
  const long = (): EvaluationRequest =>
    smallRequest({
      dataset: { path: 'checkpoints/eval', maxSamples: 400, seqLen: 512 },
      batchSize: 64,
    });

  it('stops a running evaluation within a batch, a waiting one at once', async () => {
    const running = await client.evaluate(long());
    const waiting = await client.evaluate(long());
    await until(async () => (await client.get(running.id)).progress !== null, {
      what: 'the evaluation to run',
    });
    expect(await client.get(waiting.id)).toMatchObject({ status: 'queued', position: 1 });
    expect(await client.cancel(waiting.id)).toMatchObject({
      status: 'cancelled',
      error: { code: 'cancelled' },
    });
    await expect(client.remove(running.id)).rejects.toMatchObject({
      status: 409,
      code: 'not-finished',
    });
    await client.cancel(running.id);
    await until(async () => (await client.get(running.id)).status === 'cancelled', {
      what: 'the cancellation',
    });
    const { progress } = await client.get(running.id);
    expect(progress!.samples).toBeLessThan(progress!.total!);
    const next = await client.evaluate(smallRequest({ seed: 99 }), { wait: true });
    expect(next.status).toBe('succeeded');
    expect(await client.cancel(next.id)).toMatchObject({ id: next.id, status: 'succeeded' });
    expect((await client.get(next.id)).result).not.toBeNull();
    await client.remove(running.id);
    await expect(client.get(running.id)).rejects.toMatchObject({ status: 404 });
  });

  it('keeps the report of a cancelled evaluation away with 409', async () => {
    const { id } = await client.evaluate(long());
    await client.cancel(id);
    await until(async () => (await client.get(id)).status === 'cancelled', {
      what: 'the cancellation',
    });
    await expect(client.report(id)).rejects.toMatchObject({ status: 409, code: 'not-finished' });
    await expect(
      client.evaluate(long(), {
        wait: true,
        onEvent: ({ event }) => {
          if (event === 'progress') void cancelRunning();
        },
      }),
    ).rejects.toMatchObject({ name: 'EvaluationFailedError', code: 'cancelled' });
  });

  it('is not what the end of waiting does', async () => {
    const record = await client.evaluate(long(), { wait: 0.3 });
    expect(['queued', 'running']).toContain(record.status);
    expect(record.result).toBeNull();
    await client.cancel(record.id);
  });

  async function cancelRunning(): Promise<void> {
    for (const { id } of (await client.list({ status: 'running' })).items) await client.cancel(id);
  }
});
