/**
 * Workers that are not like the others, at a server with a queue: of another kind of machine, which
 * computes with `--machine any`, and one that refuses programs. In full runs only.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SaeEvalClient } from '#src/client/index.js';
import { full } from '../../full.js';
import {
  packageRoot,
  smallRequest,
  temporaryFolder,
  until,
  untilReady,
  type ServerProcess,
} from '../harness.js';
import {
  killed,
  LocalRedis,
  resultOf,
  spawnSharingServer,
  spawnWorker,
  submitTo,
  withoutRedis,
  type WorkerProcess,
} from './harness.js';

describe.runIf(full && withoutRedis === '')(`workers unlike others${withoutRedis}`, () => {
  const folder = temporaryFolder();
  const workers: WorkerProcess[] = [];
  let redis: LocalRedis;
  let server: ServerProcess;
  let client: SaeEvalClient;

  beforeAll(async () => {
    redis = await LocalRedis.start(folder.path);
    server = await spawnSharingServer(folder.path, redis.url, { SAE_EVAL_TORCHSCRIPT: '1' });
    await untilReady(server.url);
    client = new SaeEvalClient(server.url);
  }, 120_000);
  afterEach(async () => {
    for (const worker of workers.splice(0)) await killed(worker);
  });
  afterAll(async () => {
    await killed(server);
    await redis.kill();
    folder.remove();
  });

  const work = (options?: Parameters<typeof spawnWorker>[2]): WorkerProcess => {
    const worker = spawnWorker(redis.url, [packageRoot, folder.path], options);
    workers.push(worker);
    return worker;
  };

  it('of another kind compute with --machine any alone, and the result says so', async () => {
    const first = work();
    const id = await submitTo(
      server.url,
      smallRequest({ dataset: { path: 'checkpoints/eval', maxSamples: 80, seqLen: 64 } }),
    );
    // A server that allows programs is no other server for a model that is none.
    const done = async (): Promise<number> => {
      const { error, progress } = await client.summary(id);
      expect(error).toBeNull();
      return progress?.shards?.done ?? 0;
    };
    await until(async () => (await done()) >= 2, { what: 'two shards', seconds: 240 });
    await killed(first);
    // The same processor with other kernels.
    const env = { ATEN_CPU_CAPABILITY: 'default' };
    const same = work({ env });
    await until(
      async () =>
        (await client.workers()).some(({ id: name }) => name.includes(`-${same.child.pid}-`)),
      { what: 'the other kind', seconds: 120 },
    );
    const before = await done();
    await new Promise((resolve) => setTimeout(resolve, 5000));
    expect([await done(), (await client.summary(id)).status]).toEqual([before, 'running']);

    work({ env, flags: ['--machine', 'any'] });
    const { config, data } = await resultOf(server.url, id, 240);
    expect(new Set(config.machines!.map(({ kind }) => kind)).size).toBe(2);
    expect(config.machines!.reduce((sum, { shards }) => sum + shards, 0)).toBe(20);
    expect(data.warnings.map(({ en }) => en).join()).toContain('Machines of several kinds');
  }, 600_000);

  it('refuse programs that the server allows, unless their own environment does', async () => {
    const model = join(folder.path, 'program');
    mkdirSync(model);
    const from = join(packageRoot, 'test/lm/fixtures/torchscript');
    for (const name of ['manifest.json', 'model.pt'])
      copyFileSync(join(from, name), join(model, name));
    for (const name of ['tokenizer.json', 'tokenizer_config.json'])
      copyFileSync(join(packageRoot, 'checkpoints/tiny-llama', name), join(model, name));
    const request = {
      ...smallRequest(),
      model,
      dataset: { path: 'checkpoints/eval', maxSamples: 4, seqLen: 8 },
      saes: [{ checkpoint: 'test/lm/fixtures/torchscript/sae' }],
    };
    work();
    const refused = await submitTo(server.url, request);
    await until(async () => (await client.summary(refused)).status === 'failed', {
      what: 'the refusal',
      seconds: 240,
    });
    const { error } = await client.get(refused);
    expect(error).toMatchObject({ code: 'model-unsupported' });
    expect(error!.message).toContain('SAE_EVAL_TORCHSCRIPT=1');
    for (const worker of workers.splice(0)) await killed(worker);

    work({ env: { SAE_EVAL_TORCHSCRIPT: '1' } });
    const result = await resultOf(server.url, await submitTo(server.url, request), 240);
    expect(result.results[0]!.error).toBeNull();
  }, 600_000);
});
