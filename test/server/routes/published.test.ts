/**
 * Published SAEs over HTTP: listed, inspected, refused with the field at fault, evaluated from
 * their folder.
 */
import { mkdirSync, rmSync, symlinkSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import type { EvaluationRecord } from '#src/schema/index.js';
import { packageRoot, post, serve, smallRequest, temporaryFolder, untilReady } from '../harness.js';

const folder = temporaryFolder();
const published = 'test/evaluation/fixtures/published';
let server: RunningServer;

beforeAll(async () => {
  server = await serve(folder.path);
  await untilReady(server.url);
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

it('inspects one by its folder', async () => {
  const response = await fetch(
    `${server.url}/v1/checkpoints/inspect?path=${published}/saelens-scale`,
  );
  expect(await response.json()).toMatchObject({
    candidates: ['Vanilla'],
    d: 128,
    m: 32,
    mustGive: { Vanilla: ['scale'] },
    published: {
      format: 'saelens',
      hookPoints: ['blocks.9.hook_resid_post'],
      layers: [10],
      missing: [{ path: 'scale' }],
    },
  });
});

it('refuses with 422 and the field, before anything runs', async () => {
  const response = await post(
    server.url,
    smallRequest({
      saes: [
        { checkpoint: `${published}/saelens-topk` },
        { checkpoint: `${published}/saelens-scale` },
        { checkpoint: `${published}/sparsify/layers.3`, layer: 3 },
      ],
    }),
  );
  expect(response.status).toBe(422);
  const problem = (await response.json()) as {
    code: string;
    errors: { path: string; message: string }[];
  };
  expect(problem.code).toBe('sae-option');
  expect(problem.errors.map(({ path }) => path)).toEqual(['saes[1].scale']);
  expect(JSON.stringify(problem)).not.toContain(packageRoot);
});

it('evaluates from folders', async () => {
  const response = await post(
    `${server.url}`,
    smallRequest({
      saes: [
        { checkpoint: `${published}/saelens-topk` },
        { checkpoint: `${published}/sparsify/layers.3` },
        { checkpoint: `${published}/gemma-scope/layer_8/width_32/average_l0_9` },
      ],
    }),
  );
  expect(response.status).toBe(202);
  const { id, request } = (await response.json()) as EvaluationRecord;
  expect(request.saes).toMatchObject([
    { kind: 'TopK', layer: 16, k: 8 },
    { kind: 'TopK', layer: 4, k: 8, label: 'TopK 2' },
    { kind: 'JumpReLU', layer: 9 },
  ]);
  const events = await fetch(`${server.url}/v1/evaluations/${id}/events`);
  expect(await events.text()).toContain('event: end');
  const record = (await (
    await fetch(`${server.url}/v1/evaluations/${id}`)
  ).json()) as EvaluationRecord;
  expect(record.status).toBe('succeeded');
  expect(record.result!.results).toMatchObject([
    { format: 'saelens' },
    { format: 'sparsify', hookPoint: 'layers.3' },
    { format: 'gemma-scope', normalization: 'none' },
  ]);
});

it('reads no configuration through a link that leads outside', async () => {
  const inside = join(
    packageRoot,
    'test',
    'evaluation',
    'fixtures',
    'published',
    `linked-${process.pid}`,
  );
  mkdirSync(inside);
  try {
    copyFileSync(
      join(packageRoot, published, 'saelens-topk', 'sae_weights.safetensors'),
      join(inside, 'sae_weights.safetensors'),
    );
    symlinkSync('/etc/hostname', join(inside, 'cfg.json'));
    const response = await post(
      server.url,
      smallRequest({ saes: [{ checkpoint: `${published}/linked-${process.pid}` }] }),
    );
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ code: 'path-outside-roots' });
  } finally {
    rmSync(inside, { recursive: true });
  }
});
