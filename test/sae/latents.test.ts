/** A decoder gives the same bits whatever it decoded before, dense latents or sparse ones. */
import { describe, expect, it } from 'vitest';
import { Decoder, type Latents } from '#src/sae/latents.js';
import { products } from '#src/sae/product.js';
import { manualSeed, memory, ops, scope } from '#src/torch/index.js';

const [N, d, m, k] = [5, 128, 1024, 4];

describe.each([
  ['by dimension', () => ops.rand([d, m])],
  ['by latent', () => scope(() => ops.rand([m, d]).t())],
])('weights stored %s', (_, stored) => {
  it('are decoded with the same bits in any order', () => {
    const before = memory().handles;
    manualSeed(3);
    scope(() => {
      const weight = stored();
      const values = ops.rand([N, m]);
      const dense: Latents = { form: 'dense', values };
      const [top, indices] = values.topk(k, -1);
      const sparse: Latents = { form: 'sparse', values: top, indices, m };
      const orders: Latents[][] = [
        [dense, sparse, dense],
        [sparse, dense, sparse],
      ];
      const found = orders.flatMap((order) => {
        const decoder = new Decoder(weight.clone(), products.float32);
        const decoded = order.map((latents) => [latents, decoder.apply(latents, null)] as const);
        decoder.dispose();
        return decoded;
      });
      for (const one of [dense, sparse]) {
        const [first, ...others] = found.flatMap(([latents, x]) => (latents === one ? [x] : []));
        for (const other of others) expect(ops.equal(other, first!)).toBe(true);
      }
      return null;
    });
    expect(memory().handles).toBe(before);
  });
});
