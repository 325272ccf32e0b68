/** Latents and reconstructions of every kind against PyTorch. */
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  loadSAE,
  type LoadSaeOptions,
  type Latents,
  type RoutedDictionary,
  type SAE,
} from '#src/sae/index.js';
import { ops, type Tensor } from '#src/torch/index.js';
import { deviation, golden, shipped, tensorsOf } from '../golden/load.js';

/** An SAE that lives until the test has ended. */
async function opened(path: string, options: LoadSaeOptions = {}): Promise<SAE> {
  const sae = await loadSAE(path, options);
  onTestFinished(() => sae.dispose());
  return sae;
}

/** Latents [N, m] whatever their form. */
function dense(latents: Latents): Tensor {
  if (latents.form === 'dense') return latents.values;
  return ops
    .zeros([latents.values.shape[0]!, latents.m])
    .scatter_(-1, latents.indices, latents.values);
}

// PyTorch computes the same float32 sums in another order: the reference's largest values are about
// 10, so 1e-4 absolute
// is a dozen roundings. No latent of these inputs lies that near a threshold, so none may flip.
const tolerance = 1e-4;

describe('forward passes against PyTorch', () => {
  let numbers: Map<string, Tensor>;
  beforeAll(async () => {
    numbers = await tensorsOf(golden('vectors.safetensors'));
  });
  const want = (name: string): Tensor => numbers.get(name)!;

  function check(sae: SAE, name: string, x: Tensor): void {
    const latents = sae.activate(sae.preactivate(x), null);
    const expected = want(`sae.${name}.latents`).reshape([-1, sae.m]);
    expect(deviation(dense(latents), expected).absolute).toBeLessThan(tolerance);
    expect(dense(latents).ne(0).eq(expected.ne(0)).all().item()).toBe(true);
    const reconstruction = sae.decode(latents);
    expect(
      deviation(reconstruction, want(`sae.${name}.reconstruction`).reshape(reconstruction.shape))
        .absolute,
    ).toBeLessThan(tolerance);
  }

  it.each(['TopK', 'MLSAE', 'Vanilla', 'Gated', 'JumpReLU'] as const)('%s', async (kind) => {
    check(await opened(shipped(`${kind}_tiny.pt`), { kind, k: 16 }), kind, want('sae.x'));
  });

  it('RandomK is the TopK file', async () => {
    check(await opened(shipped('TopK_tiny.pt'), { kind: 'RandomK', k: 16 }), 'TopK', want('sae.x'));
  });

  it('Crosscoder', async () => {
    check(
      await opened(shipped('Crosscoder_tiny.pt')),
      'Crosscoder',
      want('sae.X').reshape([8, 9, 128]),
    );
  });

  it.each([
    ['sum', 'hard'],
    ['sum', 'soft'],
    ['mean', 'hard'],
    ['mean', 'soft'],
  ] as const)('RouteSAE, %s and %s', async (aggregation, routing) => {
    const sae = (await opened(shipped('RouteSAE_tiny.pt'), {
      k: 16,
      aggregation,
    })) as RoutedDictionary;
    const x = want('sae.X').reshape([8, 9, 128]);
    const { p, layer, weight } = sae.route(x);
    const name = `RouteSAE.${aggregation}.${routing}`;
    expect(deviation(p, want(`sae.${name}.weights`).reshape([8, 9])).absolute).toBeLessThan(1e-5);
    const input =
      routing === 'soft'
        ? ops.einsum('nr,nrd->nd', [p, x])
        : x
            .gather(1, layer.reshape([-1, 1, 1]).expand([-1, 1, 128]))
            .squeeze(1)
            .mul(weight);
    expect(deviation(input, want(`sae.${name}.input`).reshape([8, 128])).absolute).toBeLessThan(
      1e-5,
    );
    check(sae, name, input);
  });
});

describe('overrides of sparsity', () => {
  it('keep the k largest activated latents, or those above theta', async () => {
    const x = (await tensorsOf(golden('vectors.safetensors'))).get('sae.x')!;
    for (const kind of ['TopK', 'Vanilla', 'Gated', 'JumpReLU'] as const) {
      const sae = await opened(shipped(`${kind}_tiny.pt`), { kind, k: 16 });
      const a = sae.preactivate(x);
      const all = dense(sae.activate(a, { inferK: sae.m }));
      const eight = dense(sae.activate(a, { inferK: 8 }));
      expect(eight.ne(0).sum([-1]).le(8).all().item()).toBe(true);
      const smallestKept = ops.where(eight.ne(0), eight, Infinity).amin([-1], { keepdim: true });
      // whatever was not kept is no larger than what was
      expect(ops.where(eight.ne(0), -Infinity, all).le(smallestKept).all().item()).toBe(true);
      const above = dense(sae.activate(a, { theta: 0.5 }));
      expect(ops.where(above.ne(0), above, 1).gt(0.5).all().item()).toBe(true);
      expect(
        dense(sae.activate(a, { inferK: 10 * sae.m }))
          .eq(all)
          .all()
          .item(),
      ).toBe(true);
    }
  });
});
