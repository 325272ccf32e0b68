/** SAEs whose weights hold NaN or infinity fail by themselves; the others are evaluated. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { writeSafetensors } from '#src/checkpoint/write-safetensors.js';
import { run } from '#src/evaluation/run/run.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shipped } from '../golden/load.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The shipped TopK with one number in column 4 of a matrix, whose latent never fires, replaced. */
async function damaged(
  name: string,
  at: 'encoder.weight' | 'decoder.weight',
  value: number,
): Promise<string> {
  const tensors = new Map(
    [...openTensors(await readCheckpoint(shipped('TopK_tiny.pt')))].map(([key, tensor]) => [
      key,
      tensor.clone(),
    ]),
  );
  tensors.get('latent_bias')!.select(0, 4).fill_(-1e4);
  tensors
    .get(at)!
    .select(at === 'decoder.weight' ? 1 : 0, 4)
    .select(0, 3)
    .fill_(value);
  const path = join(folder, `${name}.safetensors`);
  await writeSafetensors(path, tensors);
  return path;
}

describe('an SAE with a NaN or infinity', () => {
  it(
    'fails alone, also where the latent it belongs to never fires, as a dense product in ' +
      'PyTorch would',
    async () => {
      const kept = { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 } as const;
      const request = {
        model: shipped('tiny-llama'),
        dataset: { path: shipped('eval'), seqLen: 16, maxSamples: 4 },
        saes: [kept],
      };
      const bad = await Promise.all([
        damaged('inf', 'decoder.weight', Infinity),
        damaged('nan', 'decoder.weight', NaN),
        damaged('encoder', 'encoder.weight', NaN),
      ]);
      const alone = await run(request);
      const beside = await run({
        ...request,
        saes: [...bad.map((checkpoint) => ({ ...kept, checkpoint })), kept],
      });
      expect(beside.status).toBe('partial');
      expect(beside.results.map(({ error }) => error?.code ?? null)).toEqual([
        'non-finite',
        'non-finite',
        'non-finite',
        null,
      ]);
      expect(beside.results[0]!.error!.message).toMatch(
        /inf\.safetensors: decoder\.weight holds NaN or infinity/,
      );
      expect(beside.results[2]!.error!.message).toMatch(/^reference\.NormMSE is NaN or infinite/);
      const [was, is] = [alone.results[0]!.strict!, beside.results[3]!.strict!];
      expect(is.NormMSE!.mean).toBeCloseTo(was.NormMSE!.mean, 6);
      expect(is.L0).toEqual(was.L0);
    },
  );
});
