/**
 * Prefixes of latents: what a file tells of nested groups, and latents and decoding of the first
 * ones against all latents with the others set to zero. Sums of float32 products in another order
 * differ by less than 1e-5 of the largest value.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeCheckpoint } from '#src/inspect/describe-checkpoint.js';
import { applySAE, convertCheckpoint, loadSAE } from '#src/sae/index.js';
import { groupsOfSizes, groupsOfWidths } from '#src/sae/formats/groups.js';
import { manualSeed, ops, scope } from '#src/torch/index.js';
import { deviation, golden, shipped } from '../golden/load.js';

const at = { m: 48, where: 'group_sizes' };

describe('groups of a file', () => {
  it('are prefixes, by their sizes or by their ends', () => {
    expect(groupsOfSizes([8, 12, 28], at)).toEqual({ groups: [8, 20, 48], notes: [] });
    expect(groupsOfWidths([8, 20], at)).toEqual({ groups: [8, 20, 48], notes: [] });
    expect(groupsOfWidths([8, 20, 48], at)).toEqual({ groups: [8, 20, 48], notes: [] });
    for (const none of [undefined, null]) {
      expect(groupsOfSizes(none, at)).toEqual({ notes: [] });
      expect(groupsOfWidths(none, at)).toEqual({ notes: [] });
    }
  });

  it.each([[[8, 12]], [[48, 0]], [[-8, 56]], [[8.5, 39.5]], ['8, 40'], [[]], [{ a: 48 }]])(
    'sizes %j are not taken, with a note',
    (sizes) => {
      const { groups, notes } = groupsOfSizes(sizes, at);
      expect(groups).toBeUndefined();
      expect(notes[0]!.en).toMatch(/group_sizes .* add up to the 48 latents/);
    },
  );

  it.each([[[20, 8]], [[8, 8]], [[8, 96]], [[0, 8]], [['8']], [[]], [7]])(
    'widths %j are not taken, with a note',
    (widths) => {
      const { groups, notes } = groupsOfWidths(widths, at);
      expect(groups).toBeUndefined();
      expect(notes[0]!.en).toMatch(/increasing numbers of 1 to 48 latents/);
    },
  );

  it('stand in what inspect tells', async () => {
    const { choices, published } = await describeCheckpoint(golden('prefixes/matryoshka'));
    expect(choices.map(({ groups }) => groups)).toEqual(choices.map(() => [8, 20, 48]));
    expect(published!.groups).toEqual([8, 20, 48]);
  });
});

it('stand in the file that convert writes for SAELens', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sae-eval-prefixes-'));
  const at = join(folder, 'sae');
  try {
    await convertCheckpoint(golden('prefixes/matryoshka'), at, { to: 'saelens' });
    const { published } = await describeCheckpoint(at);
    expect(published).toMatchObject({ format: 'saelens', groups: [8, 20, 48] });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe('the first latents', () => {
  it.each([
    [golden('prefixes/widths'), {}, 64],
    [shipped('Vanilla_tiny.pt'), { kind: 'Vanilla' }, 300],
    [shipped('TopK_tiny.pt'), { kind: 'TopK', k: 16 }, 300],
    [shipped('TopK_tiny.pt'), { kind: 'TopK', k: 600 }, 300],
  ] as const)('of %s %j are those of the whole, decoded alone', async (path, options, prefix) => {
    const sae = await loadSAE(path, options);
    manualSeed(1);
    scope(() => {
      const h = ops.randn([96, sae.d]);
      const whole = applySAE(sae, h);
      const part = applySAE(sae, h, { sparsity: { prefix } });
      const first = ops.arange(0, sae.m, 1, { dtype: 'int64' }).lt(prefix);
      const zeroed = whole.latents.mul(first);
      expect(deviation(part.latents, zeroed).absolute).toBe(0);
      if (sae.form !== 'dictionary') throw new Error('expected a dictionary');
      const { restore } = sae.normalization.apply(h, 'float32');
      const wanted = restore(sae.decode({ form: 'dense', values: zeroed }));
      const bound = 1e-5 * wanted.abs().max().item();
      expect(deviation(part.reconstruction, wanted).absolute).toBeLessThan(bound);
      return null;
    });
    sae.dispose();
  });
});
