/** An SAE that can never fit into memory fails before it is loaded; the others are evaluated. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { run } from '#src/evaluation/run/run.js';
import { systemMemory } from '#src/system-memory.js';
import { shipped } from '../../golden/load.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-fits-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file with holes: it has the size that its header tells, and takes no room. */
function sparse(path: string, shapes: Record<string, number[]>): void {
  let at = 0;
  const header = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const from = at;
      at += 4 * shape.reduce((product, size) => product * size, 1);
      return [name, { dtype: 'F32', shape, data_offsets: [from, at] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, 'w');
  writeSync(file, Buffer.concat([length, json]));
  ftruncateSync(file, 8 + json.length + at);
  closeSync(file);
}

it('tells what is needed and what there is', async () => {
  const d = 128;
  const m = Math.ceil(systemMemory().totalBytes / (4 * d));
  const huge = join(folder, 'huge.safetensors');
  sparse(huge, {
    'encoder.weight': [m, d],
    'decoder.weight': [d, m],
    pre_bias: [d],
    latent_bias: [m],
  });
  const before = process.memoryUsage.rss();
  const { status, results } = await run({
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), maxSamples: 4, seqLen: 8 },
    device: 'cpu',
    saes: [
      { kind: 'TopK', checkpoint: huge, layer: 16, k: 16, label: 'huge' },
      { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16, label: 'tiny' },
    ],
  });
  expect(status).toBe('partial');
  expect(results[0]!.error).toMatchObject({
    code: 'device-memory',
    message: expect.stringMatching(
      /^huge: its weights \(\d+\.\d\d GiB\) .* do not fit into the memory of cpu, \d+\.\d\d GiB/,
    ) as string,
  });
  expect(results[1]!.error).toBeNull();
  expect(process.memoryUsage.rss() - before).toBeLessThan(2 ** 30);
});

it('counts the tables of latents, which a wide SAE may have no room for', async () => {
  const d = 128;
  // Each latent takes 1 kB of weights, and 3.6 kB with a hundred contexts.
  const m = Math.ceil(systemMemory().totalBytes / 3584);
  const wide = join(folder, 'wide.safetensors');
  sparse(wide, {
    'encoder.weight': [m, d],
    'decoder.weight': [d, m],
    pre_bias: [d],
    latent_bias: [m],
  });
  const { results } = await run({
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), maxSamples: 4, seqLen: 8 },
    device: 'cpu',
    latents: 100,
    saes: [
      { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16, label: 'tiny' },
      { kind: 'TopK', checkpoint: wide, layer: 16, k: 16, label: 'wide' },
    ],
  });
  expect(results[0]!.error).toBeNull();
  expect(results[1]!.error).toMatchObject({
    code: 'device-memory',
    message: expect.stringMatching(
      /^wide: the tables of \d+ latents, .* do not fit into the memory of this machine/,
    ) as string,
  });
});
