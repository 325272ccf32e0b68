/**
 * The numbers of `/metrics` and `/devices`: every one that operations.md names, and those of models
 * that stay loaded.
 */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { SaeEvalClient } from '#src/client/index.js';
import { packageRoot, serve, smallRequest, temporaryFolder, untilReady } from '../harness.js';

const folder = temporaryFolder();
let server: RunningServer;
let client: SaeEvalClient;

beforeAll(async () => {
  server = await serve(folder.path);
  client = new SaeEvalClient(server.url);
  await untilReady(server.url);
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

/** A number of /metrics by its name and labels. */
async function metric(name: string, url = server.url): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}
const events = (event: string, url?: string): Promise<number | undefined> =>
  metric(`sae_eval_model_cache_events_total{device="cpu",event="${event}"}`, url);

describe('models and SAEs', () => {
  it('stay loaded: a second evaluation loads nothing and gives the same bits', async () => {
    const first = await client.evaluate(smallRequest(), { wait: true });
    // The model, its tokenizer, the SAE.
    expect([await events('load'), await events('hit')]).toEqual([3, 0]);
    const second = await client.evaluate(smallRequest(), { wait: true });
    expect([await events('load'), await events('hit'), await events('eviction')]).toEqual([
      3, 3, 0,
    ]);
    expect(second.id).not.toBe(first.id);
    expect(JSON.stringify(second.result!.results)).toBe(JSON.stringify(first.result!.results));
    expect(await metric('sae_eval_model_cache_bytes{device="cpu"}')).toBeGreaterThan(7_000_000);
  });

  it('do not with a limit of 0', async () => {
    const other = temporaryFolder();
    const without = await serve(other.path, { modelCacheBytes: 0 });
    try {
      await untilReady(without.url);
      for (const seed of [1, 2])
        await new SaeEvalClient(without.url).evaluate(smallRequest({ seed }), { wait: true });
      expect([await events('load', without.url), await events('hit', without.url)]).toEqual([6, 0]);
      expect(await metric('sae_eval_model_cache_bytes{device="cpu"}', without.url)).toBe(0);
    } finally {
      await without.close();
      other.remove();
    }
  });
});

describe('/metrics', () => {
  it('has every number that operations.md names', async () => {
    await client.evaluate(smallRequest({ seed: 3 }), { wait: true });
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const table = readFileSync(`${packageRoot}docs/reference/operations.md`, 'utf8')
      .split('\n')
      .filter((line) => /^\| `(sae_eval|nodejs|process)_/.test(line));
    const named = table.flatMap((line) => [
      ...line.split('|')[1]!.matchAll(/`(\w+)(?:\{([\w,]+)\})?`/g),
    ]);
    expect(named.length).toBeGreaterThan(12);
    for (const [, name, labels = ''] of named) {
      expect(text).toMatch(new RegExp(`^# HELP ${name} `, 'm'));
      const line = text.split('\n').find((one) => one.startsWith(name!) && !one.startsWith('#'));
      expect(line, name).toBeDefined();
      for (const label of labels.split(',').filter((one) => one !== ''))
        expect(line).toContain(`${label}="`);
    }
    expect(await metric('sae_eval_tokens_total')).toBeGreaterThan(0);
    expect(await metric('sae_eval_tokens_per_second{device="cpu"}')).toBeGreaterThan(0);
    expect(await metric('sae_eval_evaluation_seconds_sum{status="succeeded"}')).toBeGreaterThan(0);
    expect(await metric('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
  });
});

describe('memory of a device', () => {
  it('is what this machine has, now', async () => {
    const [cpu] = await client.devices();
    expect(cpu!.totalBytes).toBeLessThanOrEqual(totalmem());
    expect(cpu!.freeBytes).toBeGreaterThan(0);
    expect(cpu!.freeBytes).toBeLessThanOrEqual(cpu!.totalBytes!);
    expect(await metric('sae_eval_device_memory_bytes{device="cpu",state="total"}')).toBe(
      cpu!.totalBytes,
    );
    expect(await metric('sae_eval_device_memory_bytes{device="cpu",state="free"}')).toBeGreaterThan(
      0,
    );
  });
});
