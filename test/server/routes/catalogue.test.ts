/** The catalogue of files under the roots, for the form and for scripts. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { SaeEvalClient } from '#src/client/index.js';
import { listFiles } from '#src/data/files.js';
import { packageRoot, serve, temporaryFolder } from '../harness.js';

const folder = temporaryFolder();
const root = join(folder.path, 'root');
let server: RunningServer;
let client: SaeEvalClient;

beforeAll(async () => {
  const files = {
    'mixed/a.jsonl': '{"text": "a"}\n',
    'mixed/b.jsonl': '{"text": "b"}\n',
    'mixed/c.parquet': 'left alone',
    'packed/a.jsonl.gz': 'x',
    'packed/b.jsonl.zst': 'xy',
    'table/t.parquet': 'xyz',
    'plain/x.txt': 'text',
    'none/readme.md': '#',
    'damaged.pt': 'no checkpoint',
    'older/config.json': readFileSync(join(packageRoot, 'checkpoints/tiny-llama/config.json')),
    'older/pytorch_model.bin': 'listed by its name',
    'program/manifest.json': readFileSync(
      join(packageRoot, 'test/lm/fixtures/torchscript/manifest.json'),
    ),
    'program/model.pt': 'no SAE',
    'tool/manifest.json': '{"format": "another"}',
  };
  for (const name of ['mixed', 'packed', 'table', 'plain', 'none', 'older', 'program', 'tool'])
    mkdirSync(join(root, name), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  writeFileSync(join(folder.path, 'outside.jsonl'), '{"text": "secret"}\n');
  symlinkSync(join(folder.path, 'outside.jsonl'), join(root, 'none', 'link.jsonl'));
  server = await serve(folder.path, { roots: [root] });
  client = new SaeEvalClient(server.url);
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

describe('the catalogue', () => {
  it('lists texts of every readable kind as requests read their folder, and no links', async () => {
    const items = await client.datasets();
    expect(items.map(({ path, files }) => [path, files])).toEqual([
      ['mixed', 2],
      ['mixed/a.jsonl', 1],
      ['mixed/b.jsonl', 1],
      ['packed', 2],
      ['packed/a.jsonl.gz', 1],
      ['packed/b.jsonl.zst', 1],
      ['plain', 1],
      ['plain/x.txt', 1],
      ['table', 1],
      ['table/t.parquet', 1],
    ]);
    for (const { path, files } of items)
      expect((await listFiles(join(root, path))).length).toBe(files);
  });

  it('says of a file that is no checkpoint why, without the place of the root', async () => {
    const [damaged, ...others] = await client.checkpoints();
    expect(others).toEqual([]);
    expect(damaged).toMatchObject({
      path: 'damaged.pt',
      candidates: [],
      error: { code: 'checkpoint-format' },
    });
    expect(JSON.stringify(damaged)).not.toContain(folder.path);
  });

  it(
    'lists models in the older file format, and TorchScript ones with why the server does ' +
      'not run them',
    async () => {
      const models = (await client.models()).filter(({ source }) => source === 'root');
      expect(models.map(({ path }) => path)).toEqual(['older', 'program']);
      expect(models[0]).toMatchObject({ family: 'llama', layers: 16, width: 128, error: null });
      expect(models[1]).toMatchObject({
        family: null,
        error: {
          code: 'model-unsupported',
          message: expect.stringMatching(/^program: .*SAE_EVAL_TORCHSCRIPT=1/),
        },
      });
    },
  );
});
