/** SAEs whose products are composed of bfloat16 parts, as on CPUs with AMX. */
import { expect, it } from 'vitest';
import { describeSAE, openSAE } from '#src/sae/load.js';
import { products } from '#src/sae/product.js';
import { kernels, manualSeed, ops } from '#src/torch/index.js';
import { golden, shipped, tensorsOf } from '../golden/load.js';

it('composes products of bfloat16 parts only for those who ask for it', () => {
  manualSeed(8);
  const [x, weight, sum] = [ops.randn([9, 256]), ops.randn([40, 256]), ops.randn([9, 40])];
  const plain = ops.linear(x, weight).toArray();
  const parts = kernels.linearFromParts(x, weight).toArray();
  expect(products.float32.linear(x, weight, null).toArray()).toEqual(plain);
  expect(products['bfloat16-parts'].linear(x, weight, null).toArray()).toEqual(parts);
  const added = sum.add(kernels.linearFromParts(x, weight)).toArray();
  expect(products['bfloat16-parts'].addLinear(sum.clone(), x, weight).toArray()).toEqual(added);
  if (kernels.hasBfloat16Unit()) expect(parts).not.toEqual(plain);
});

it.each(['TopK', 'MLSAE', 'Vanilla', 'Gated', 'JumpReLU', 'Crosscoder'] as const)(
  '%s composed of parts chooses the same latents and reconstructs the same',
  async (kind) => {
    const numbers = await tensorsOf(golden('vectors.safetensors'));
    const x = numbers.get(kind === 'Crosscoder' ? 'sae.X' : 'sae.x')!;
    const rows = x.reshape(kind === 'Crosscoder' ? [-1, 9, 128] : [-1, 128]);
    const description = await describeSAE(shipped(`${kind}_tiny.pt`), { kind, k: 16 });
    const [plain, parts] = (['float32', 'bfloat16-parts'] as const).map((made) => {
      const sae = openSAE(description, { products: made });
      const reconstruction = sae.decode(sae.activate(sae.preactivate(rows), null));
      sae.dispose();
      return reconstruction;
    });
    // A product is off by 5e-6 of its norm. A latent that is chosen in one alone would be off by
    // some percent.
    expect(parts!.sub(plain!).norm().div(plain!.norm()).item()).toBeLessThan(5e-5);
  },
);
