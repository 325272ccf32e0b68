/** `sae-eval latents`: the rows of a table in any order, for a terminal and as CSV. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLatents } from '#src/evaluation/latents/read-latents.js';
import { run } from '#src/evaluation/run/run.js';
import { root, shipped } from '../golden/load.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-latents-'));
const path = join(folder, 'latents.parquet');
afterAll(() => rmSync(folder, { recursive: true }));

const print = async (...args: string[]): Promise<string> => {
  const main = join(root, 'dist', 'src', 'cli', 'main.js');
  const { stdout } = await promisify(execFile)(process.execPath, [main, 'latents', ...args]);
  return stdout;
};

describe('sae-eval latents', () => {
  beforeAll(async () => {
    const topK = { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), k: 16 } as const;
    await run(
      {
        model: shipped('tiny-llama'),
        dataset: { path: shipped('eval'), maxSamples: 2, seqLen: 24 },
        saes: [
          { ...topK, layer: 3, label: 'low' },
          { ...topK, layer: 9, label: 'high' },
        ],
        metrics: ['L0'],
        device: 'cpu',
        latents: 2,
      },
      { latents: path },
    );
  });

  it('prints the first rows of a run in the order asked for', async () => {
    const text = await print(folder, '--sae', 'high', '--sort', 'max', '--limit', '3');
    const { latents, dead } = await readLatents(path, { sae: 'high', sort: 'max', limit: 3 });
    expect(text).toContain(`high: 1024 latents, ${dead} dead`);
    const printed = [...text.matchAll(/^│ (\d+) /gm)].map(([, latent]) => Number(latent));
    expect(printed).toEqual(latents.map(({ latent }) => latent));
    // The report stands for the run whose folder it lies in.
    writeFileSync(join(folder, 'report.json'), '{}');
    const same = [join(folder, 'report.json'), '--sae', 'high', '--sort', 'max', '--limit', '3'];
    expect(await print(...same)).toBe(text);
  });

  it('prints every latent of all SAEs as CSV', async () => {
    const [head, ...lines] = (await print(path, '--format', 'csv')).trimEnd().split('\n');
    expect(head).toMatch(/^sae,latent,/);
    expect(lines).toHaveLength(2048);
    const { latents } = await readLatents(path, { sae: 'high', limit: 1024 });
    expect(lines.slice(1024).map((line) => Number(line.split(',')[3]))).toEqual(
      latents.map(({ active }) => active),
    );
  });

  it('says which SAE is meant by a name that does not exist', async () => {
    await expect(print(path, '--sae', 'hihg')).rejects.toThrow(/did you mean high/);
  });
});
