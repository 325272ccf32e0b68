import { linear, withProducts } from '#src/sae/product.js';
import { kernels, manualSeed, ops } from '#src/torch/index.js';
import { expect, it } from 'vitest';

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
