/** inferK and theta on published SAEs: what they keep of the latents, for each activation. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { applySAE, loadSAE, type LoadSaeOptions } from '#src/sae/index.js';
import { ops, scope, type Tensor } from '#src/torch/index.js';
import { tensorsOf } from '../golden/load.js';

const layout = (name: string): string =>
  fileURLToPath(new URL(`formats/fixtures/${name}`, import.meta.url));

const cases: [name: string, given?: LoadSaeOptions][] = [
  ['saelens-standard'],
  ['saelens-gated'],
  ['saelens-jumprelu'],
  ['saelens-topk'],
  ['saelens-topk-rescaled'],
  ['dictionary_learning-AutoEncoder'],
  ['sparsify/layers.5'],
  ['openmoss-topk-norms'],
  ['openmoss-jumprelu'],
  ['openmoss-crosscoder'],
  ['crosscoder', { scale: [0.25, 0.5] }],
];

describe.each(cases)('%s', (name, given = {}) => {
  it('keeps no more than k, all of them positive, and the same values', async () => {
    const sae = await loadSAE(layout(name), given);
    const tensors = await tensorsOf(`${layout(name)}/expected.safetensors`);
    scope(() => {
      const h = tensors.get('h')!;
      const latents = (sparsity: { inferK: number } | { theta: number } | null): Tensor =>
        applySAE(sae, h, { sparsity }).latents;
      const all = latents({ inferK: sae.m });
      const two = latents({ inferK: 2 });
      expect(two.ne(0).sum([-1]).le(2).all().item()).toBe(true);
      expect(two.ne(0).any().item()).toBe(true);
      expect(two.ge(0).all().item()).toBe(true);
      expect(ops.where(two.ne(0), two.eq(all), true).all().item(), 'values do not change').toBe(
        true,
      );
      expect(
        latents({ inferK: 10 * sae.m })
          .eq(all)
          .all()
          .item(),
      ).toBe(true);
      const own = latents(null);
      expect(
        ops.where(own.ne(0), own.eq(all), true).all().item(),
        'its own choice is among them',
      ).toBe(true);
      const nothing = latents({ theta: 1e6 });
      expect(nothing.ne(0).any().item()).toBe(false);
      expect(latents({ theta: 0 }).eq(all).all().item(), 'above 0 is all that is active').toBe(
        true,
      );
      return null;
    });
    for (const owned of [sae, ...tensors.values()]) owned.dispose();
  });

  // OpenMOSS chooses under the decoder's norms, which its latents do not keep.
  it.skipIf(name.startsWith('openmoss'))('keeps the largest, or what is above theta', async () => {
    const sae = await loadSAE(layout(name), given);
    const tensors = await tensorsOf(`${layout(name)}/expected.safetensors`);
    scope(() => {
      const h = tensors.get('h')!;
      const all = applySAE(sae, h, { sparsity: { inferK: sae.m } }).latents;
      const two = applySAE(sae, h, { sparsity: { inferK: 2 } }).latents;
      const smallestKept = ops.where(two.ne(0), two, Infinity).amin([-1], { keepdim: true });
      expect(ops.where(two.ne(0), -Infinity, all).le(smallestKept).all().item()).toBe(true);
      const theta = all.max().item() / 3;
      const above = applySAE(sae, h, { sparsity: { theta } }).latents;
      expect(
        above
          .eq(all.mul(all.gt(theta)))
          .all()
          .item(),
      ).toBe(true);
      return null;
    });
    for (const owned of [sae, ...tensors.values()]) owned.dispose();
  });
});
