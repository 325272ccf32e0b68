/** Every family against the states of transformers (test/golden/models, test/golden/models-odd). */
import { readdirSync, readFileSync } from 'node:fs';
import { families } from '#src/lm/families/index.js';
import { loadLanguageModel, type BlockSite } from '#src/lm/index.js';
import {
  keep,
  memory,
  ops,
  scope,
  setInferenceMode,
  setNumThreads,
  type Tensor,
} from '#src/torch/index.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { deviation, deviations, forward, readTensors, root } from './reference.js';

beforeAll(() => {
  setInferenceMode(true);
  // The models are tiny: threads would only wait for each other.
  setNumThreads(1);
});

/**
 * Tolerance of every value, absolute or relative. float32 sums in another order (flash attention,
 * fused norms) deviate by up to 1e-5 after 16 blocks.
 */
const tolerance = 1e-4;

const folders = (of: string): string[] =>
  readdirSync(`${root}test/golden/${of}`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${of}/${name}`);

/** Fails with the names of all states beyond the limit. */
function expectClose(found: Record<string, number>, limit: number): void {
  expect(Object.keys(found).length).toBeGreaterThan(0);
  expect(Object.fromEntries(Object.entries(found).filter(([, off]) => !(off <= limit)))).toEqual(
    {},
  );
}

describe('the shipped model', () => {
  it('agrees with transformers on every state, padded positions included', async () => {
    const model = await loadLanguageModel(`${root}checkpoints/tiny-llama`);
    const expected = await readTensors(`${root}test/golden/vectors.safetensors`);
    const found = deviations(model, expected, { padding: true, aliases: { 'h.last': 'h.16' } });
    expect(Object.keys(found)).toHaveLength(19);
    expectClose(found, tolerance);
    // h_i is r_i below the last block
    for (let i = 1; i < 16; i++)
      expect(ops.equal(expected.get(`h.${i}`)!, expected.get(`r.${i}`)!)).toBe(true);
    for (const tensor of expected.values()) tensor.dispose();
    model.dispose();
  });

  it('says what it is', async () => {
    const model = await loadLanguageModel(`${root}checkpoints/tiny-llama`, { dtype: 'bfloat16' });
    expect({
      ...model,
      family: model.family,
      layers: model.layers,
      width: model.width,
      vocabulary: model.vocabulary,
      maxPositions: model.maxPositions,
    }).toMatchObject({
      family: 'llama',
      layers: 16,
      width: 128,
      vocabulary: 4096,
      maxPositions: 2048,
    });
    expect(model.parameters).toBe(3_674_240);
    expect(model.weightBytes).toBe(2 * 3_674_240);
    expect(model.dtype).toBe('bfloat16');
    model.dispose();
  });
});

describe.each([...folders('models'), ...folders('models-odd')])('%s', (folder) => {
  it('agrees with transformers on the real positions of every state', async () => {
    const before = memory().handles;
    const model = await loadLanguageModel(`${root}test/golden/${folder}`);
    const expected = await readTensors(`${root}test/golden/${folder}/expected.safetensors`);
    const prefixes = new Set(
      [...expected.keys()].map((name) => /^(\d+\.)input_ids$/.exec(name)?.[1] ?? ''),
    );
    for (const prefix of prefixes) expectClose(deviations(model, expected, { prefix }), tolerance);
    for (const tensor of expected.values()) tensor.dispose();
    model.dispose();
    expect(memory().handles).toBe(before);
  });

  it('gives real positions the same states whatever is beside and behind them', async () => {
    const model = await loadLanguageModel(`${root}test/golden/${folder}`);
    const expected = await readTensors(`${root}test/golden/${folder}/expected.safetensors`);
    scope(() => {
      const ids = expected.get('input_ids')!;
      const lengths = expected.get('attention_mask')!.sum([1]).toArray() as number[];
      const together = forward(model, ids, lengths).states.get('logits')!;
      lengths.forEach((length, row) => {
        // longer by padding, alone: what depends on the length itself (longrope, dynamic) has its
        // own fixtures
        const alone = forward(model, ids.narrow(0, row, 1), [length]).states.get('logits')!;
        expect(
          deviation(alone, together.narrow(0, row, 1), { lengths: [length], T: ids.shape[1]! }),
        ).toBeLessThan(tolerance);
        expect(together.isfinite().all().item<boolean>()).toBe(true);
      });
      return null;
    });
    for (const tensor of expected.values()) tensor.dispose();
    model.dispose();
  });

  it('gives unpadded sequences what it gives them in rows of their own', async () => {
    const model = await loadLanguageModel(`${root}test/golden/${folder}`);
    // The state of a delta net goes along a row.
    expect(model.takesUnpadded).toBe(!/qwen3[-_](5|next)/.test(folder));
    const expected = await readTensors(`${root}test/golden/${folder}/expected.safetensors`);
    if (model.takesUnpadded)
      scope(() => {
        const ids = expected.get('input_ids')!;
        const seqLen = ids.shape[1]!;
        const lengths = expected.get('attention_mask')!.sum([1]).toArray() as number[];
        const padded = forward(model, ids, lengths).states;
        const row = ops.cat(
          lengths.map((length, b) => ids.narrow(0, b, 1).narrow(1, 0, length)),
          1,
        );
        const unpadded = forward(model, row, lengths, { seqLen, isUnpadded: true }).states;
        for (const [name, states] of unpadded) {
          let from = 0;
          lengths.forEach((length, b) => {
            const found = states.narrow(1, from, length);
            const wanted = padded.get(name)!.narrow(0, b, 1).narrow(1, 0, length);
            from += length;
            expect(deviation(found, wanted, { lengths: [length], T: length }), name).toBeLessThan(
              tolerance,
            );
          });
        }
        return null;
      });
    for (const tensor of expected.values()) tensor.dispose();
    model.dispose();
  });

  it('runs several copies of a batch through a block as one', async () => {
    const model = await loadLanguageModel(`${root}test/golden/${folder}`);
    const expected = await readTensors(`${root}test/golden/${folder}/expected.safetensors`);
    const lengths = scope(() => expected.get('attention_mask')!.sum([1]).toArray() as number[]);
    const context = model.context(lengths, expected.get('input_ids')!.shape[1]!);
    scope(() => {
      const r = model.embed(expected.get('input_ids')!);
      const copies = [r, r.mul(0.5), r.neg()];
      const stacked = model.block(1, ops.cat(copies, 0), context);
      const apart = ops.cat(
        copies.map((copy) => model.block(1, copy, context)),
        0,
      );
      expect(stacked.sub(apart).abs().max().item()).toBeLessThan(1e-4);
      return null;
    });
    context.dispose();
    for (const tensor of expected.values()) tensor.dispose();
    model.dispose();
  });
});

describe.each(folders('models-odd'))('%s: the sites inside a block', (folder) => {
  it('have the values that hooks on transformers see, and what a tap gives goes on', async () => {
    const before = memory().handles;
    const model = await loadLanguageModel(`${root}test/golden/${folder}`);
    const expected = await readTensors(`${root}test/golden/${folder}/expected.safetensors`);
    const ids = expected.get('input_ids')!;
    scope(() => {
      const lengths = expected.get('attention_mask')!.sum([1]).toArray() as number[];
      const T = ids.shape[1]!;
      const context = model.context(lengths, T);
      const r = model.block(1, model.embed(ids), context);
      const seen = new Map<string, Tensor>();
      const observed = model.block(2, r, context, (site, value) => {
        seen.set(site, keep(value));
        return value;
      });
      expect(deviation(observed, expected.get('r.2')!, { lengths, T })).toBeLessThan(tolerance);
      const sites = [...expected.keys()]
        .filter((name) => name.startsWith('site.'))
        .map((name) => name.slice(5));
      expect([...seen.keys()]).toEqual(expect.arrayContaining(sites));
      for (const site of sites)
        expect(
          deviation(seen.get(site)!, expected.get(`site.${site}`)!, { lengths, T }),
        ).toBeLessThan(tolerance);

      // without what attention and the MLP add nothing is left but the input
      const emptied = model.block(2, r, context, (site, value) =>
        site.endsWith('_out') ? value.mul(0) : value,
      );
      // but for norms on the residual stream itself
      if (folder !== 'models-odd/opt-post-norm') expect(ops.equal(emptied, r)).toBe(true);
      for (const value of seen.values()) value.dispose();
      context.dispose();
      return null;
    });
    for (const tensor of expected.values()) tensor.dispose();
    model.dispose();
    expect(memory().handles).toBe(before);
  });
});

describe('what the MLP reads and computes', () => {
  it('is what hooks on transformers see, in each family', async () => {
    const expected = await readTensors(`${root}test/golden/mlp-sites/expected.safetensors`);
    const models = [...new Set([...expected.keys()].map((name) => name.split('.')[0]!))];
    expect(models).toHaveLength(20);
    for (const name of models) {
      const model = await loadLanguageModel(`${root}test/golden/models-odd/${name}`);
      const inputs = await readTensors(
        `${root}test/golden/models-odd/${name}/expected.safetensors`,
      );
      scope(() => {
        const ids = inputs.get('input_ids')!;
        const lengths = inputs.get('attention_mask')!.sum([1]).toArray() as number[];
        const T = ids.shape[1]!;
        const context = model.context(lengths, T);
        const r = model.block(1, model.embed(ids), context);
        const after = inputs.get('r.2')!;
        const seen: BlockSite[] = [];
        const observed = model.block(2, r, context, (site, value) => {
          seen.push(site);
          const hooked = expected.get(`${name}.${site}`);
          if (hooked !== undefined)
            expect(deviation(value, hooked, { lengths, T }), `${name} ${site}`).toBeLessThan(
              tolerance,
            );
          // Norms that are taken in two steps give the same.
          return site === 'ln2_normalized' ? value.clone() : value;
        });
        expect(deviation(observed, after, { lengths, T })).toBeLessThan(tolerance);
        for (const site of ['mlp_in', 'ln2_out', 'mlp_post'] as const) {
          expect(seen).toContain(site);
          const without = model.block(2, r, context, (at, value) =>
            at === site ? value.mul(0) : value,
          );
          expect(deviation(without, after, { lengths, T }), site).toBeGreaterThan(tolerance);
        }
        expect(seen.includes('ln2_normalized')).toBe(expected.has(`${name}.ln2_normalized`));
        context.dispose();
        return null;
      });
      for (const tensor of inputs.values()) tensor.dispose();
      model.dispose();
    }
    for (const tensor of expected.values()) tensor.dispose();
  });
});

describe('scalings that depend on the length', () => {
  it.each(['phi3-longrope', 'llama-dynamic'])(
    '%s: go by the length before padding was left out',
    async (name) => {
      const model = await loadLanguageModel(`${root}test/golden/models-odd/${name}`);
      const expected = await readTensors(
        `${root}test/golden/models-odd/${name}/expected.safetensors`,
      );
      scope(() => {
        const prefix = name === 'phi3-longrope' ? '24.' : '';
        const [ids, logits] = [
          expected.get(`${prefix}input_ids`)!,
          expected.get(`${prefix}logits`)!,
        ];
        const [, length] = expected.get(`${prefix}attention_mask`)!.sum([1]).toArray() as number[];
        const cut = (x: Tensor): Tensor => x.narrow(0, 1, 1).narrow(1, 0, length!);
        const off = (options: { seqLen?: number }): number =>
          deviation(
            forward(model, cut(ids), [length!], options).states.get('logits')!,
            cut(logits),
            { lengths: [length!], T: length! },
          );
        expect(off({ seqLen: ids.shape[1]! })).toBeLessThan(tolerance);
        expect(off({})).toBeGreaterThan(tolerance);
        return null;
      });
      for (const tensor of expected.values()) tensor.dispose();
      model.dispose();
    },
  );
});

describe('bfloat16', () => {
  // Roundings fall elsewhere (fused attention), so the yardstick is what rounding itself costs
  // transformers.
  it.each(folders('models-odd'))('%s is as close to float32 as transformers is', async (folder) => {
    const expected = await readTensors(`${root}test/golden/${folder}/expected.safetensors`);
    if (expected.has('bf16.logits')) {
      const model = await loadLanguageModel(`${root}test/golden/${folder}`, { dtype: 'bfloat16' });
      scope(() => {
        const lengths = expected.get('attention_mask')!.sum([1]).toArray() as number[];
        const { states } = forward(model, expected.get('input_ids')!, lengths);
        const [exact, theirs] = [expected.get('logits')!, expected.get('bf16.logits')!];
        expect(states.get('logits')!.dtype).toBe('bfloat16');
        const root = (x: typeof exact): number => x.mul(x).narrow(0, 0, 1).mean().sqrt().item();
        const rounding = root(theirs.sub(exact)) / root(exact);
        expect(root(states.get('logits')!.sub(exact)) / root(exact)).toBeLessThan(1.5 * rounding);
        return null;
      });
      model.dispose();
    }
    for (const tensor of expected.values()) tensor.dispose();
  });
});

describe('docs/reference/models.md', () => {
  const text = readFileSync(`${root}docs/reference/models.md`, 'utf8');

  it.each(families)('lists the family $name', ({ name, modelTypes, models, features }) => {
    const types = modelTypes.map((type) => `\`${type}\``).join(', ');
    expect(text).toContain(`\n| ${name} | ${types} | ${models} | ${features} | `);
  });

  it('lists no other family', () => {
    const table = text.split('\n\n').find((part) => part.startsWith('| family |'))!;
    const rows = table.split('\n').slice(2);
    expect(rows.map((row) => row.split(' | ')[0])).toEqual(families.map(({ name }) => `| ${name}`));
  });
});

it('families have different names and model types', () => {
  const names = families.map(({ name }) => name);
  const types = families.flatMap(({ modelTypes }) => modelTypes);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(types).size).toBe(types.length);
});
