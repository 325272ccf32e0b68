/**
 * `chunking: "saelens"` against an implementation in Python (test/golden/peers/make.py), which
 * follows docs/reference/data.md.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { openSamples } from '#src/data/index.js';
import { run } from '#src/evaluation/run/run.js';
import { loadTokenizer, type Tokenizer } from '#src/lm/index.js';
import { golden } from '../golden/load.js';

const cases = JSON.parse(readFileSync(golden('peers/packing.json'), 'utf8')) as {
  seqLen: number;
  prependBos: boolean;
  contexts: number[][];
}[];
const path = golden('peers/text.jsonl');

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(golden('peers/llama'));
});

async function contextsOf(seqLen: number, prependBos?: boolean): Promise<number[][]> {
  const found: number[][] = [];
  const options = { path, seqLen, tokenizer, chunking: 'saelens', batchSize: 3 } as const;
  const own = prependBos === undefined ? options : { ...options, prependBos };
  for await (const batch of await openSamples(own))
    for (const { ids, length } of batch) {
      expect(length).toBe(seqLen);
      found.push([...ids]);
    }
  return found;
}

describe.each(cases)('contexts of $seqLen tokens, BOS at their heads: $prependBos', (one) => {
  it('are those of the definition', async () => {
    expect(await contextsOf(one.seqLen, one.prependBos)).toEqual(one.contexts);
    if (one.prependBos) expect(await contextsOf(one.seqLen)).toEqual(one.contexts);
  });
});

it('a run packs by it and pads nothing', async () => {
  const { data, results } = await run({
    model: golden('peers/llama'),
    dataset: { path, seqLen: 5, chunking: 'saelens' },
    saes: [{ checkpoint: golden('peers/saes/topk') }],
    protocol: ['saelens'],
    device: 'cpu',
  });
  const { contexts } = cases.find(({ seqLen, prependBos }) => seqLen === 5 && prependBos)!;
  expect(data).toMatchObject({ samples: contexts.length, paddedTokens: 0 });
  expect(results[0]!.notes).toEqual([]);
});

it('is refused for conversations', async () => {
  const refused = run({
    model: golden('peers/llama'),
    dataset: { path, seqLen: 5, chunking: 'saelens', messagesField: 'messages' },
    saes: [{ checkpoint: golden('peers/saes/topk') }],
  });
  await expect(refused).rejects.toThrow(
    'dataset.chunking: expected document or packed for conversations, found saelens',
  );
});
