/** `dataset.prependBos`: BOS at the head of each text, once, never, or as the tokenizer does. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openSamples, type Chunking } from '#src/data/index.js';
import { beginOfSamples } from '#src/evaluation/run/begin-of-samples.js';
import { resolvedRequestSchema } from '#src/schema/index.js';
import { loadTokenizer, type Tokenizer } from '#src/lm/index.js';
import { golden, shipped } from '../golden/load.js';

const text = 'one two three four five six seven';
const path = join(mkdtempSync(join(tmpdir(), 'bos-')), 'text.jsonl');
writeFileSync(path, `${JSON.stringify({ text, ids: [11, 12, 13] })}\n`.repeat(2));

interface Setting {
  prependBos?: boolean;
  chunking?: Chunking;
  tokensField?: string;
}
async function idsOf(tokenizer: Tokenizer, options: Setting, seqLen = 64): Promise<number[][]> {
  const found: number[][] = [];
  for await (const batch of await openSamples({ path, seqLen, tokenizer, ...options }))
    for (const { ids, length } of batch) found.push([...ids.subarray(0, length)]);
  return found;
}

describe.each([
  ['adds BOS by itself', shipped('tiny-llama')],
  ['adds none', golden('models-tokenizers/byte-level')],
])('a tokenizer that %s', (_, model) => {
  let tokenizer: Tokenizer;
  let bare: number[];
  let bos: number;
  beforeAll(async () => {
    tokenizer = await loadTokenizer(model);
    [bare] = (await tokenizer.encodeBatch([text], { specials: 'none' })) as [number[]];
    bos = tokenizer.bosId!;
  });

  it('keeps its own way by default', async () => {
    const [own] = await tokenizer.encodeBatch([text]);
    expect(await idsOf(tokenizer, {})).toEqual([own, own]);
    expect(own![0] === bos).toBe(tokenizer.addsBos);
  });

  it('puts exactly one, and the last token gives way to it', async () => {
    expect(await idsOf(tokenizer, { prependBos: true })).toEqual(Array(2).fill([bos, ...bare]));
    const [cut] = await idsOf(tokenizer, { prependBos: true, chunking: 'document' }, 4);
    expect(cut).toEqual([bos, ...bare.slice(0, 3)]);
  });

  it('puts none', async () => {
    expect(await idsOf(tokenizer, { prependBos: false })).toEqual([bare, bare]);
  });

  it('at the head of each record of packed text', async () => {
    const packed = await idsOf(tokenizer, { prependBos: true, chunking: 'packed' });
    expect(packed.flat()).toEqual([bos, ...bare, bos, ...bare]);
  });

  it('before token ids only if that is asked for', async () => {
    expect(await idsOf(tokenizer, { tokensField: 'ids' })).toEqual([
      [11, 12, 13],
      [11, 12, 13],
    ]);
    expect((await idsOf(tokenizer, { tokensField: 'ids', prependBos: true }))[0]).toEqual([
      ...[bos, 11, 12, 13],
    ]);
  });
});

describe('a tokenizer without BOS', () => {
  const withoutBos = { bosId: null };
  const request = (prependBos?: boolean) =>
    resolvedRequestSchema.parse({
      model: 'm',
      dataset: { path, ...(prependBos === undefined ? {} : { prependBos }) },
      saes: [{ checkpoint: 'x' }],
    });

  it('is told to a request that asks for one', async () => {
    const tokenizer = await loadTokenizer(golden('models-tokenizers/unigram'));
    expect(tokenizer.bosId).toBeNull();
    await expect(idsOf(tokenizer, { prependBos: true })).rejects.toMatchObject({
      code: 'request-invalid',
      fields: [{ path: 'dataset.prependBos' }],
    });
  });

  it('is a warning if only a file says that there was one', () => {
    const found = beginOfSamples({ request: request(), prependBos: true }, withoutBos);
    expect(found.prependBos).toBeUndefined();
    expect(found.warnings).toHaveLength(1);
    const asked = beginOfSamples({ request: request(true), prependBos: true }, withoutBos);
    expect(asked).toEqual({ prependBos: true, warnings: [] });
  });
});
