/** The folder of `--out`: free, of the same request, or of another run. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { finishFolder, journalIn, takeFolder } from '#src/cli/out-folder.js';
import { resolvedRequestSchema, type ResolvedRequest } from '#src/schema/index.js';

const base = mkdtempSync(join(tmpdir(), 'sae-eval-out-'));
afterAll(() => rmSync(base, { recursive: true }));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(base, 'run-'));
});

const request = (change: object = {}): ResolvedRequest =>
  resolvedRequestSchema.parse({
    model: 'm',
    dataset: { path: 'd' },
    saes: [{ checkpoint: 'a.pt', label: 'TopK' }],
    ...change,
  });
const take = (change: object = {}, overwrite = false, prependBos?: boolean) =>
  takeFolder(folder, { request: request(change), prependBos }, { overwrite });
const storeReport = (change: object = {}): void =>
  writeFileSync(
    join(folder, 'report.json'),
    JSON.stringify({
      createdAt: '2026-01-02T03:04:05Z',
      config: { ...request(change), device: 'cuda:1', threads: 2, versions: {} },
    }),
  );

it('makes a folder, and takes one that holds other files', async () => {
  writeFileSync(join(folder, 'notes.txt'), '');
  await take();
  const inner = join(folder, 'a', 'b');
  await takeFolder(inner, { request: request(), prependBos: undefined });
  expect(existsSync(inner)).toBe(true);
});

it('takes the folder of the same request, whatever its name and wherever it computes', async () => {
  storeReport({ name: 'first', tags: ['x'] });
  await take({ name: 'second', notes: 'again' });
  await take({ device: 'cuda' });
  await expect(take({ device: 'cpu' })).rejects.toThrow('differs in device');
});

it('names a path that is no folder', async () => {
  const file = join(folder, 'notes.txt');
  writeFileSync(file, '');
  const known = { request: request(), prependBos: undefined };
  for (const path of [file, join(file, 'below')])
    await expect(takeFolder(path, known)).rejects.toThrow(`--out: ${path}: a part of this path`);
  await expect(takeFolder('', known)).rejects.toThrow('--out: expected a folder');
});

it('names a folder in the place of a file to be written', async () => {
  for (const name of ['report.html', 'sums.safetensors']) {
    mkdirSync(join(folder, name));
    await expect(take()).rejects.toThrow(
      `--out: ${join(folder, name)} is a folder, and a file of the run has this name`,
    );
    rmdirSync(join(folder, name));
  }
  await take();
});

it('leaves a report alone that is damaged or of another program', async () => {
  for (const text of ['{"config": {', '{"my": "data"}', '']) {
    writeFileSync(join(folder, 'report.json'), text);
    await expect(take()).rejects.toThrow('report.json that is damaged or of another program');
    expect(readFileSync(join(folder, 'report.json'), 'utf8')).toBe(text);
  }
  await take({}, true);
});

it('takes the BOS that the files ask for as said', async () => {
  storeReport({ dataset: { path: 'd', prependBos: true } });
  await take({}, false, true);
  await take({ dataset: { path: 'd', prependBos: true } });
  for (const change of [{}, { dataset: { path: 'd', prependBos: false } }])
    await expect(take(change)).rejects.toThrow('differs in dataset.prependBos.');
});

it('takes a report of a version without a field, at its default', async () => {
  storeReport();
  const path = join(folder, 'report.json');
  const { config } = JSON.parse(readFileSync(path, 'utf8')) as { config: Partial<ResolvedRequest> };
  delete config.seed;
  writeFileSync(path, JSON.stringify({ config }));
  await take();
});

it('refuses the report of another run, and says what is there', async () => {
  storeReport();
  await expect(take({ batchSize: 3, seed: 1 })).rejects.toThrow(
    `--out: ${folder} holds the report of another run (TopK on m of 2026-01-02T03:04:05Z), which ` +
      'differs in batchSize, seed. Choose another folder, or give --overwrite to replace it',
  );
  const saes = [{ checkpoint: 'b.pt', label: 'TopK' }];
  await expect(take({ saes, dataset: { path: 'd', seqLen: 8 } })).rejects.toThrow(
    'differs in dataset.seqLen, saes[0].checkpoint. Choose',
  );
  await expect(take({ saes: [...saes, ...saes] })).rejects.toThrow('differs in saes. Choose');
  await take({ batchSize: 3 }, true);
});

it('refuses the journal of another run', async () => {
  await take();
  writeFileSync(journalIn(folder), '');
  await take();
  await expect(take({ batchSize: 3 })).rejects.toThrow(
    'holds an unfinished run of another request',
  );
  expect(existsSync(journalIn(folder))).toBe(true);
  await take({ batchSize: 3 }, true);
  expect(existsSync(journalIn(folder))).toBe(false);
  await finishFolder(folder);
  await take();
});

it('says that a part of the path is a file', async () => {
  writeFileSync(join(folder, 'file'), '');
  await expect(
    takeFolder(join(folder, 'file', 'out'), { request: request(), prependBos: undefined }),
  ).rejects.toThrow('a part of this path is a file');
});
