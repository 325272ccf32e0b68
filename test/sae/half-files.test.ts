/**
 * Files of the RouteSAE family in half precision: every kind, saved as bfloat16 and float16,
 * computed in float32.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { writePt } from '#src/checkpoint/write-pt.js';
import { loadSAE } from '#src/sae/index.js';
import { denseValues } from '#src/sae/latents.js';
import { scope, type Tensor } from '#src/torch/index.js';
import { deviation, golden, shipped, tensorsOf } from '../golden/load.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(['bfloat16', 'float16'] as const)('%s', (dtype) => {
  it.each([
    'TopK',
    'RouteSAE',
    'MLSAE',
    'Vanilla',
    'Gated',
    'JumpReLU',
    'Crosscoder',
    'RandomK',
  ] as const)('%s', async (kind) => {
    const source = shipped(`${kind === 'RandomK' ? 'TopK' : kind}_tiny.pt`);
    const half = openTensors(await readCheckpoint(source), { dtype });
    const widened = new Map(
      [...half].map(([name, tensor]) => [name, tensor.to({ dtype: 'float32' })]),
    );
    const [halfPath, widePath] = [
      join(folder, `${kind}-${dtype}.pt`),
      join(folder, `${kind}-${dtype}-wide.pt`),
    ];
    await writePt(halfPath, half);
    await writePt(widePath, widened);
    const golds = await tensorsOf(golden('vectors.safetensors'));
    const x =
      kind === 'Crosscoder' ? golds.get('sae.X')!.reshape([8, 9, 128]) : golds.get('sae.x')!;
    const [a, b] = [
      await loadSAE(halfPath, { kind, k: 16 }),
      await loadSAE(widePath, { kind, k: 16 }),
    ];
    scope(() => {
      const of = (sae: typeof a): { latents: Tensor; reconstruction: Tensor } => {
        const latents = sae.activate(sae.preactivate(x), null);
        return { latents: denseValues(latents), reconstruction: sae.decode(latents) };
      };
      const [fromHalf, fromWide] = [of(a), of(b)];
      // The same float32 numbers go through the same operators.
      for (const key of ['latents', 'reconstruction'] as const)
        expect(deviation(fromHalf[key], fromWide[key]).absolute).toBe(0);
      expect(fromHalf.latents.ne(0).any().item()).toBe(true);
      return null;
    });
    for (const owned of [a, b, ...half.values(), ...widened.values(), ...golds.values()])
      owned.dispose();
  });
});
