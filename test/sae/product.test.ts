import { expect, it } from 'vitest';
import { products } from '#src/sae/product.js';
import { kernels, manualSeed, ops } from '#src/torch/index.js';

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
