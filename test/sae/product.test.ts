/** SAEs whose products are composed of bfloat16 parts, as on CPUs with AMX. */
import { expect, it } from 'vitest';
import { loadSAE } from '#src/sae/index.js';
import { linear, withProducts } from '#src/sae/product.js';
import { kernels, manualSeed, ops, type Tensor } from '#src/torch/index.js';
import { golden, shipped, tensorsOf } from '../golden/load.js';

it(
  'products are composed of parts inside the run that asks for it, and nowhere after, ' +
    'however it ends',
  () => {
    manualSeed(8);
    const [x, weight] = [ops.randn([9, 256]), ops.randn([40, 256])];
    const plain = ops.linear(x, weight).toArray();
    const parts = kernels.linearFromParts(x, weight).toArray();
    expect(linear(x, weight, null).toArray()).toEqual(plain);
    expect(withProducts('bfloat16-parts', () => linear(x, weight, null).toArray())).toEqual(parts);
    withProducts('bfloat16-parts', () => {
      expect(withProducts('float32', () => linear(x, weight, null).toArray())).toEqual(plain);
      expect(linear(x, weight, null).toArray()).toEqual(parts);
    });
    expect(() =>
      withProducts('bfloat16-parts', () => {
        throw new Error('ended');
      }),
    ).toThrow('ended');
    expect(linear(x, weight, null).toArray()).toEqual(plain);
    if (kernels.hasBfloat16Unit()) expect(parts).not.toEqual(plain);
  },
);

it.each(['TopK', 'MLSAE', 'Vanilla', 'Gated', 'JumpReLU', 'Crosscoder'] as const)(
  '%s composed of parts chooses the same latents and reconstructs the same',
  async (kind) => {
    const numbers = await tensorsOf(golden('vectors.safetensors'));
    const x = kind === 'Crosscoder' ? numbers.get('sae.X')! : numbers.get('sae.x')!;
    const sae = await loadSAE(shipped(`${kind}_tiny.pt`), {
      kind,
      ...(['TopK', 'MLSAE'].includes(kind) ? { k: 16 } : {}),
    });
    const rows = x.reshape(kind === 'Crosscoder' ? [-1, 9, 128] : [-1, 128]);
    const reconstruct = (): Tensor => sae.decode(sae.activate(sae.preactivate(rows), null));
    const plain = reconstruct();
    const parts = withProducts('bfloat16-parts', reconstruct);
    // A product is off by 5e-6 of its norm. A latent that is chosen in one alone would be off by
    // some percent.
    expect(parts.sub(plain).norm().div(plain.norm()).item()).toBeLessThan(5e-5);
    sae.dispose();
  },
);
