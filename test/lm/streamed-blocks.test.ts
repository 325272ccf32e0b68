/**
 * Blocks that are brought in one at a time: every family computes the bits that it computes with
 * all of its blocks there, one block is held, and nothing is left behind.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadLanguageModel, type LanguageModel } from '#src/lm/index.js';
import { joined } from '#src/lm/read-ahead.js';
import { fromTypedArray, memory, scope, setInferenceMode } from '#src/torch/index.js';
import { golden, shipped } from '../golden/load.js';
import { full } from '../full.js';

beforeAll(() => setInferenceMode(true));

/** Models whose blocks are built in ways of their own; where there is time, all of them. */
const odd = /gpt-oss|opt-post-norm|base-bin|qwen3-next$|llama4$|gemma-untied|falcon$|mixtral$/;
const folders = ['models', 'models-odd'].flatMap((list) =>
  readdirSync(golden(list), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${list}/${name}`)
    .filter((name) => full || list === 'models' || odd.test(name)),
);

/** Logits of 7 tokens in every precision as float64, and the parameters. */
async function logitsOf(model: LanguageModel): Promise<Float64Array> {
  const T = 7;
  const ids = fromTypedArray(
    BigInt64Array.from({ length: T }, (_, t) => BigInt(3 + t)),
    [1, T],
  );
  const context = model.context([T], T);
  let r = model.embed(ids);
  for (let i = 1; i <= model.layers; i++) {
    await model.bring(i, i < model.layers ? i + 1 : 1);
    const next = scope(() => model.block(i, r, context));
    r.dispose();
    r = next;
  }
  const logits = scope(() =>
    model.head(model.finalNorm(r).reshape([T, -1])).to({ dtype: 'float64' }),
  );
  const values = logits.toTypedArray() as Float64Array;
  for (const one of [ids, r, logits, context]) one.dispose();
  return values;
}

/** A model whose weights are read instead of mapped, as on a network file system. */
async function loadRead(path: string, dtype: 'float32' | 'bfloat16'): Promise<LanguageModel> {
  process.env['SAE_EVAL_WEIGHTS'] = 'read';
  try {
    return await loadLanguageModel(path, { dtype });
  } finally {
    delete process.env['SAE_EVAL_WEIGHTS'];
  }
}

describe('a model whose blocks are brought in', () => {
  it.each(folders)(
    '%s computes the bits of the whole one, and so does one that is read',
    async (folder) => {
      const before = memory().handles;
      const path = golden(folder);
      for (const dtype of ['float32', 'bfloat16'] as const) {
        const whole = await loadLanguageModel(path, { dtype });
        const parts = await loadLanguageModel(path, { dtype, streamBlocks: true });
        const read = await loadRead(path, dtype);
        expect(parts.isStreamed).toBe(true);
        const expected = await logitsOf(whole);
        for (const _ of [1, 2]) expect(await logitsOf(parts)).toEqual(expected);
        expect(await logitsOf(read)).toEqual(expected);
        expect([parts.parameters, parts.notes]).toEqual([whole.parameters, whole.notes]);
        for (const model of [whole, parts, read]) model.dispose();
      }
      expect(memory().handles).toBe(before);
    },
  );

  it('holds the weights of one block beside embedding, final norm and head', async () => {
    const before = memory().bytes;
    const model = await loadLanguageModel(shipped('tiny-llama'), {
      dtype: 'float32', // another than that of the files, so that weights are copied
      streamBlocks: true,
    });
    const ends = memory().bytes - before;
    await model.bring(1, null);
    const block = memory().bytes - before - ends;
    expect(block).toBeGreaterThan(0);
    for (let i = 2; i <= model.layers; i++) {
      await model.bring(i, null);
      expect(memory().bytes - before).toBe(ends + block);
    }
    expect(ends + model.layers * block).toBe(model.weightBytes);
    model.dispose();
    expect(memory().bytes).toBe(before);
  });

  it('tells what a block lacks when it is loaded', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
    cpSync(golden('models/llama3'), folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as object;
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, num_hidden_layers: 9 }));
    const before = memory().handles;
    await expect(loadLanguageModel(folder, { streamBlocks: true })).rejects.toMatchObject({
      code: 'checkpoint-keys',
      message: expect.stringMatching(/expected the tensor layers\.\d/) as string,
    });
    expect(memory().handles).toBe(before);
    rmSync(folder, { recursive: true });
  });
});

describe('ranges to read ahead', () => {
  it('are joined where they touch, file by file', () => {
    const range = (path: string, from: number, length: number) => ({ path, from, length });
    expect(
      joined([range('b', 0, 5), range('a', 10, 5), range('a', 0, 10), range('a', 99, 1)], 4),
    ).toEqual([range('a', 0, 15), range('a', 99, 1), range('b', 0, 5)]);
    expect(joined([range('a', 0, 10), range('a', 2, 3)])).toEqual([range('a', 0, 10)]);
  });
});
