/**
 * The clean pass of a micro-batch against transformers: residual streams, and the values at the
 * sites inside a block.
 */
import { inputNormalization } from '#src/sae/normalization.js';
import { readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { CleanPass } from '#src/evaluation/engine/clean-pass.js';
import { loadLanguageModel, type BlockSite } from '#src/lm/index.js';
import { memory, ops, scope, setInferenceMode, type Tensor } from '#src/torch/index.js';
import { deviation, readTensors } from '../../lm/reference.js';
import { golden, shipped } from '../../golden/load.js';

// Float32 sums in another order than transformers': up to 1e-5 through 16 blocks.
const pre = inputNormalization({ kind: 'pre' });
const tolerance = 1e-4;

beforeAll(() => setInferenceMode(true));

interface Fixture {
  pass: CleanPass;
  expected: ReadonlyMap<string, Tensor>;
  /** Real tokens of each sequence, and positions of all. */
  shape: { lengths: number[]; T: number };
}

/** Runs the clean pass on the inputs of a fixture, and frees everything after `body`. */
async function withPass(
  { model: path, expected: file }: { model: string; expected: string },
  keep: readonly number[],
  body: (fixture: Fixture) => void,
): Promise<void> {
  const before = memory().handles;
  const model = await loadLanguageModel(path);
  const expected = await readTensors(file);
  const ids = expected.get('input_ids')!; // [B, T]
  scope(() => {
    const lengths = expected.get('attention_mask')!.sum([1]).toArray() as number[];
    const shape = { lengths, T: ids.shape[1]! };
    const context = model.context(lengths, shape.T);
    const pass = new CleanPass({
      model,
      ids,
      context,
      keep: new Set(keep),
      saeDtype: 'float32',
    });
    for (let i = 1; i <= model.layers; i++) pass.through(i);
    body({ pass, expected, shape });
    context.dispose();
    return null;
  });
  for (const tensor of expected.values()) tensor.dispose();
  model.dispose();
  expect(memory().handles).toBe(before);
}

const shippedModel = {
  model: shipped('tiny-llama'),
  expected: golden('vectors.safetensors'),
};

describe('residual streams', () => {
  it("are transformers' hidden states at the layers that are kept, and at no other", async () => {
    await withPass(shippedModel, [0, 1, 7, 16], ({ pass, expected, shape }) => {
      expect([pass.B, pass.T, pass.d]).toEqual([2, 48, 128]);
      for (const [layer, name] of [
        [0, 'h.0'],
        [1, 'h.1'],
        [7, 'h.7'],
        [16, 'r.16'],
      ] as const)
        expect(deviation(pass.residual(layer), expected.get(name)!, shape)).toBeLessThan(tolerance);
      expect(deviation(pass.finalHidden, expected.get('h.16')!, shape)).toBeLessThan(tolerance);
      for (const layer of [2, 15, 17]) expect(() => pass.residual(layer)).toThrow(/not kept/);
    });
  });

  it('need not be kept for the final hidden state', async () => {
    await withPass(shippedModel, [], ({ pass, expected, shape }) => {
      expect(deviation(pass.finalHidden, expected.get('h.16')!, shape)).toBeLessThan(tolerance);
    });
  });

  it('are normalized for an SAE and restored, before the final norm and after it', async () => {
    await withPass(shippedModel, [9, 16], ({ pass }) => {
      for (const [site, source] of [
        [9, pass.residual(9)],
        [16, pass.residual(16)],
        ['final', pass.finalHidden],
      ] as const) {
        const { x, restore } = pass.input(site, pre);
        const h = source.reshape([-1, pass.d]).to({ dtype: 'float64' });
        const std = h.std(-1, { unbiased: true, keepdim: true } as never);
        const wanted = h.sub(h.mean([-1], { keepdim: true })).div(std.add(1e-6));
        expect(x.sub(wanted).abs().max().item()).toBeLessThan(tolerance);
        expect(restore(x).sub(h).abs().max().item()).toBeLessThan(tolerance);
        expect(pass.input(site, pre).x).toBe(x); // computed once
      }
      expect(
        ops.equal(
          pass.stacked([9, 16], [pre, pre]),
          ops.stack([pass.input(9, pre).x, pass.input(16, pre).x], 1),
        ),
      ).toBe(true);
    });
  });

  it('are freed with the sites, and the final hidden state stays', async () => {
    await withPass(shippedModel, [3, 4], ({ pass, expected, shape }) => {
      const bytes = 4 * pass.B * pass.T * pass.d; // of a residual stream
      const before = memory().bytes;
      pass.input(3, pre);
      pass.stacked([3, 4], [pre, pre]);
      pass.atSite({ site: 'mlp_out', layer: 4 });
      expect(memory().bytes).toBeGreaterThan(before + 4 * bytes);
      pass.releaseSites();
      expect(memory().bytes).toBe(before - 2 * bytes);
      expect(deviation(pass.finalHidden, expected.get('h.16')!, shape)).toBeLessThan(tolerance);
    });
  });
});

const folders = readdirSync(golden('models-odd'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

describe.each(folders)('sites inside block 2 of %s', (folder) => {
  const fixture = {
    model: golden(`models-odd/${folder}`),
    expected: golden(`models-odd/${folder}/expected.safetensors`),
  };

  it("have the values of transformers' hooks, and replacing one goes on in its block", async () => {
    await withPass(fixture, [1], ({ pass, expected, shape }) => {
      const names = [...expected.keys()].filter((name) => name.startsWith('site.'));
      expect(names.length).toBeGreaterThanOrEqual(3);
      const after = expected.get('r.2')!;
      for (const name of names) {
        const place = { site: name.slice(5) as BlockSite, layer: 2 };
        const own = pass.atSite(place);
        expect(deviation(own, expected.get(name)!, shape), name).toBeLessThan(tolerance);
        expect(pass.atSite(place)).toBe(own); // computed once
        expect(deviation(pass.withSite(place, own), after, shape), name).toBeLessThan(tolerance);
        expect(
          deviation(pass.withSite(place, own.mul(0)), after, shape),
          `${name} at zero`,
        ).toBeGreaterThan(tolerance);
      }
      // The MLP's output is added last, but before a norm in OPT-350m.
      if (folder === 'opt-post-norm') return;
      const mlp = { site: 'mlp_out', layer: 2 } as const;
      const without = pass.withSite(mlp, pass.atSite(mlp).mul(0));
      expect(deviation(without.add(pass.atSite(mlp)), after, shape)).toBeLessThan(tolerance);
    });
  });
});

describe('a site that a block lacks', () => {
  it('is named', async () => {
    // Attention and MLP of GPT-NeoX run side by side.
    const folder = golden('models-odd/neox-linear');
    await withPass(
      { model: folder, expected: `${folder}/expected.safetensors` },
      [1],
      ({ pass }) => {
        expect(() => pass.atSite({ site: 'resid_mid', layer: 2 })).toThrow(/no site resid_mid/);
        expect(() => pass.atSite({ site: 'attn_out', layer: 1 })).toThrow(/layer 0 was not kept/);
      },
    );
  });
});
