/** Whether an SAE computes what PyTorch computed for the fixture it lies in. */
import { expect } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { applySAE, loadSAE, type LoadSaeOptions } from '#src/sae/index.js';
import { memory, scope, tensor } from '#src/torch/index.js';

/**
 * Compares latents and reconstructions with `expected` (h, latents, reconstruction). Values are of
 * order 10 and float32 sums run over at most some 50 terms: rounding stays below 1e-5 relative.
 */
export async function expectComputed(
  path: string,
  expected: string,
  given: LoadSaeOptions = {},
): Promise<void> {
  const golden = await readCheckpoint(expected);
  const { handles } = memory();
  const sae = await loadSAE(path, given);
  scope(() => {
    const wanted = openTensors(golden);
    const made = applySAE(sae, wanted.get('h')!);
    for (const key of ['latents', 'reconstruction'] as const) {
      const reference = wanted.get(key)!;
      expect(made[key].shape).toEqual(reference.shape);
      const error = made[key].sub(reference).abs().div(reference.abs().clamp_min(1)).max().item();
      expect(error, key).toBeLessThan(1e-5);
    }
    const active = wanted.get('latents')!.ne(0);
    expect(made.latents.ne(0).eq(active).all().item(), 'the same latents are active').toBe(true);
    expect(active.sum().item(), 'latents are not all zero').toBeGreaterThan(0);
    return null;
  });
  sae.dispose();
  expect(memory().handles).toBe(handles);
}

/** Loads an SAE and compares its reconstruction of h [N, d] with PyTorch's. */
export async function expectReconstruction(
  path: string,
  given: LoadSaeOptions,
  { h, reconstruction }: { h: number[][]; reconstruction: number[][] },
): Promise<void> {
  const sae = await loadSAE(path, given);
  scope(() => {
    const found = applySAE(sae, tensor(h)).reconstruction;
    const error = found.sub(tensor(reconstruction)).abs().max().item();
    // float32 on values of about 5; another order of sums moves the last bits.
    expect(error).toBeLessThan(1e-5);
  });
  sae.dispose();
}
