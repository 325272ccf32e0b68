/** A tokenizer with more tokens than the model's embedding has rows, alone and in an evaluation. */
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSamples, type SampleOptions } from '#src/data/index.js';
import { saveTensors, zeros } from '#src/torch.js';
import { evaluate } from '#src/index.js';
import { loadTokenizer } from '#src/lm/index.js';

import { beforeAll, describe, expect, it } from 'vitest';
import { golden } from '../golden/load.js';

const tokens = 402; // of the tokenizer; <|endoftext|> is 0
const rows = 320; // of the embedding

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'outside-'));
  cpSync(golden('models/llama2'), folder, { recursive: true });
  cpSync(golden('models-tokenizers/byte-level/tokenizer.json'), join(folder, 'tokenizer.json'));
  writeFileSync(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({ eos_token: '<|endoftext|>', pad_token: '[PAD]' }), // [PAD] becomes 402
  );
});

const texts = [
  'a b c d e f', // bytes, whose ids are small
  'a b c d e f g califragil h', // an added token of id 400 in its second chunk
  'x y z',
];

function file(records: readonly object[]): string {
  const path = join(mkdtempSync(join(tmpdir(), 'outside-')), 'data.jsonl');
  writeFileSync(path, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  return path;
}

async function collect(
  records: readonly object[],
  options: Partial<SampleOptions> = {},
): Promise<{ ids: number[][]; skipped: number; reasons: unknown[]; warnings: string[] }> {
  const tokenizer = await loadTokenizer(folder);
  const stream = await openSamples({
    path: file(records),
    seqLen: 4,
    tokenizer,
    vocabulary: rows,
    ...options,
  });
  const ids: number[][] = [];
  for await (const batch of stream) ids.push(...batch.map((sample) => [...sample.ids]));
  const { skippedRecords, warnings, skipped } = stream.summary;
  return {
    ids,
    skipped: skippedRecords,
    reasons: skipped.map(({ reason, count, first }) => [reason, count, first.excerpt]),
    warnings: warnings.map(({ en }) => en),
  };
}

describe('tokens outside the embedding', () => {
  const first = `id 400 (tokenizer: ${tokens + 1} tokens, embedding: ${rows} rows): califragil`;

  it.each(['words', 'document', 'packed'] as const)(
    'make a record be skipped, with chunking %s',
    async (chunking) => {
      const records = texts.map((text) => ({ text }));
      const found = await collect(records, { chunking });
      const left = await collect([records[0]!, records[2]!], { chunking });
      expect(found.ids).toEqual(left.ids);
      expect(found.skipped).toBe(1);
      expect(found.reasons).toEqual([['outside-vocabulary', 1, first]]);
      expect(found.ids.flat().every((id) => id < rows)).toBe(true);
    },
  );

  it('make a record of ids be skipped', async () => {
    const lists = [[1, 2], [3, 400], [5], [402, 1, 2, 3, 4]];
    const found = await collect(
      lists.map((input_ids) => ({ input_ids })),
      { tokensField: 'input_ids', chunking: 'document' },
    );
    expect(found.ids).toEqual([
      [1, 2, 0, 0],
      [5, 0, 0, 0],
    ]);
    expect(found.skipped).toBe(2);
    expect(found.reasons).toEqual([['outside-vocabulary', 2, first]]);
  });

  it('are not padded with', async () => {
    const { ids, warnings } = await collect([{ text: 'x' }]);
    expect(ids[0]!.slice(-2)).toEqual([0, 0]);
    expect(warnings).toEqual([expect.stringMatching(/pad token \(id 402\).*320 rows: id 0/)]);
  });

  it('leave a chunk of a text file out', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'outside-')), 'data.txt');
    writeFileSync(path, texts.join('\n'));
    const { ids, reasons } = await collect([], { path });
    expect(ids.flat().every((id) => id < rows)).toBe(true);
    expect(reasons).toEqual([['chunk-outside-vocabulary', 1, first]]);
  });

  it('in every record are an error that names both sizes', async () => {
    await expect(collect([{ text: texts[1] }])).rejects.toMatchObject({
      code: 'dataset-invalid',
      message: expect.stringContaining(first),
    });
  });
});

describe('an evaluation with such a tokenizer', () => {
  it('uses the records that are left', async () => {
    const sae = join(folder, 'Vanilla.safetensors');
    const [d, m] = [48, 8];
    const tensors = {
      'encoder.weight': zeros([m, d]),
      'decoder.weight': zeros([d, m]),
      pre_bias: zeros([d]),
      latent_bias: zeros([m]),
    };
    await saveTensors(sae, tensors);
    for (const tensor of Object.values(tensors)) tensor.dispose();
    const run = async (records: readonly object[]): ReturnType<typeof evaluate> =>
      evaluate({
        model: folder,
        dataset: { path: file(records), seqLen: 4, maxSamples: 10 },
        saes: [{ kind: 'Vanilla', checkpoint: sae, layer: 2 }],
        metrics: ['KLDiv'],
        device: 'cpu',
      });
    const [all, left] = [
      await run(texts.map((text) => ({ text }))),
      await run([texts[0], texts[2]].map((text) => ({ text }))),
    ];
    expect(all.data).toMatchObject({ samples: 3, skippedRecords: 1 });
    expect(all.results[0]!.strict!.KLDivPerToken).toEqual(left.results[0]!.strict!.KLDivPerToken);
    expect(all.results[0]!.reference).toEqual(left.results[0]!.reference);
  });
});
