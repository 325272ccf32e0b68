/** Data sets from files to samples: chunks, counts, warnings, compression, packing, shuffling. */
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { openSamples, type Sample, type SampleOptions } from '#src/data/index.js';
import { readLines, type Line } from '#src/data/lines.js';
import { shuffled } from '#src/data/shuffle.js';
import { loadTokenizer, type Tokenizer } from '#src/lm/index.js';
import { beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(`${root}checkpoints/tiny-llama`);
});

function folder(files: Record<string, string | Buffer>): string {
  const path = mkdtempSync(join(tmpdir(), 'data-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

const lines = (...records: unknown[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('');

async function collect(options: Omit<SampleOptions, 'tokenizer'>): Promise<{
  batches: Sample[][];
  samples: Sample[];
  stream: Awaited<ReturnType<typeof openSamples>>;
}> {
  const stream = await openSamples({ tokenizer, ...options });
  const batches: Sample[][] = [];
  for await (const batch of stream) batches.push(batch);
  return { batches, samples: batches.flat(), stream };
}

/** A sample by its definition. */
async function sampleOf(text: string, T: number): Promise<Sample> {
  const [ids] = await tokenizer.encodeBatch([text]);
  const kept = ids!.slice(0, T);
  return {
    ids: Int32Array.from({ length: T }, (_, t) => kept[t] ?? tokenizer.padId),
    length: kept.length,
    truncated: ids!.length - kept.length,
  };
}

interface Case {
  files: Record<string, string>;
  seqLen: number;
  chunks: string[];
  counts: { notJson: number; notAnObject: number; notAString: number; blank: number };
}

describe('folders of files', () => {
  const cases = JSON.parse(
    readFileSync(new URL('../golden/text/files.json', import.meta.url), 'utf8'),
  ) as Case[];

  it.each(cases.map((each, index) => [index, each] as const))(
    'case %i gives the chunks of an independent implementation',
    async (_, { files, seqLen, chunks, counts }) => {
      const path = folder(
        Object.fromEntries(
          Object.entries(files).map(([name, content]) => [name, Buffer.from(content, 'base64')]),
        ),
      );
      const { samples, stream } = await collect({ path, seqLen, batchSize: 5 });
      expect(samples).toEqual(await Promise.all(chunks.map((text) => sampleOf(text, seqLen))));
      const { notJson, notAnObject, notAString, blank } = counts;
      expect(stream.summary).toMatchObject({
        samples: chunks.length,
        skippedRecords: notJson + notAnObject + notAString + blank,
        truncatedTokens: samples.reduce((sum, { truncated }) => sum + truncated, 0),
      });
      expect(stream.total).toBe(chunks.length);
      const said = stream.summary.warnings.map(({ en }) => en);
      for (const [count, what] of [
        [notJson, 'not JSON.'],
        [notAnObject, 'not a JSON object.'],
        [notAString, 'not a string.'],
      ] as const) {
        expect(
          said.filter((text) => text.endsWith(what)).map((text) => Number.parseInt(text, 10)),
        ).toEqual(count === 0 ? [] : [count]);
      }
    },
  );

  it('leaves sub-folders alone and follows links', async () => {
    const elsewhere = folder({ 'linked.jsonl': lines({ text: 'linked' }) });
    const path = folder({ 'b.jsonl': lines({ text: 'second' }) });
    mkdirSync(join(path, 'sub.jsonl'));
    mkdirSync(join(path, 'sub'));
    writeFileSync(join(path, 'sub', 'c.jsonl'), lines({ text: 'never' }));
    symlinkSync(join(elsewhere, 'linked.jsonl'), join(path, 'a.jsonl'));
    const { samples } = await collect({ path, seqLen: 8 });
    expect(samples.map(({ ids, length }) => tokenizer.decode([...ids.slice(1, length)]))).toEqual([
      'linked',
      'second',
    ]);
  });
});

describe('samples', () => {
  const path = (): string =>
    folder({
      'text.jsonl': lines(
        ...Array.from({ length: 23 }, (_, n) => ({ text: `sample number ${n}` })),
      ),
    });

  it('come in batches of consecutive ones, the last smaller', async () => {
    const { batches } = await collect({ path: path(), seqLen: 16, batchSize: 10 });
    expect(batches.map(({ length }) => length)).toEqual([10, 10, 3]);
  });

  it.each([1, 9, 10, 11, 20, 22])('stop at maxSamples (%i)', async (maxSamples) => {
    const { samples, stream } = await collect({
      path: path(),
      seqLen: 16,
      batchSize: 10,
      maxSamples,
    });
    expect(samples).toHaveLength(maxSamples);
    expect(stream.total).toBe(maxSamples);
    expect(stream.summary.samples).toBe(maxSamples);
  });

  it('go on after the batches that were done, with the same summary', async () => {
    const where = path();
    const whole = await collect({ path: where, seqLen: 3, batchSize: 4 });
    const rest = await collect({ path: where, seqLen: 3, batchSize: 4, skipBatches: 3 });
    expect(rest.batches).toEqual(whole.batches.slice(3));
    expect(rest.stream.summary).toEqual(whole.stream.summary);
    expect(
      (await collect({ path: where, seqLen: 3, batchSize: 4, skipBatches: 6 })).batches.length,
    ).toBe(whole.batches.length - 6);
  });

  it('count special tokens and what truncation loses', async () => {
    const { samples, stream } = await collect({
      path: folder({ 'a.jsonl': lines({ text: 'one two three' }) }),
      seqLen: 2,
    });
    expect(samples.map(({ ids }) => ids[0])).toEqual([4093, 4093]);
    expect(samples[0]).toEqual(await sampleOf('one two', 2));
    expect(samples[0]!.truncated).toBeGreaterThan(0);
    expect(stream.summary.truncatedTokens).toBe(samples[0]!.truncated + samples[1]!.truncated);
  });

  it('read another field, and one file', async () => {
    const where = folder({
      'a.jsonl': lines({ body: 'yes', text: 'no' }, { text: 'no' }, { constructor: 'x' }),
    });
    const { samples, stream } = await collect({
      path: join(where, 'a.jsonl'),
      seqLen: 8,
      textField: 'body',
    });
    expect(samples).toEqual([await sampleOf('yes', 8)]);
    expect(stream.summary.skippedRecords).toBe(2);
    // a field that every object inherits is still missing
    await expect(
      openSamples({
        path: folder({ 'a.jsonl': lines({ text: 'x' }) }),
        seqLen: 8,
        tokenizer,
        textField: 'toString',
      }),
    ).rejects.toMatchObject({ code: 'dataset-invalid' });
  });

  it('are the shipped ones', async () => {
    const { samples, stream } = await collect({
      path: `${root}checkpoints/eval`,
      seqLen: 256,
      maxSamples: 150,
    });
    expect(samples).toHaveLength(150);
    expect(samples.reduce((sum, { length }) => sum + length, 0)).toBe(34_054);
    expect(stream.summary).toMatchObject({ samples: 150, skippedRecords: 0, warnings: [] });
  });
});

describe('other files', () => {
  const records = Array.from({ length: 40 }, (_, n) => ({
    text: `record ${n} says \u00fcber \u{1f642} ${'word '.repeat(n)}`,
  }));

  it('reads zstd, several frames after one another', async () => {
    // `zstd -19` of the first 15 records and `zstd -1` of the rest, one file after the other
    const zipped = readFileSync(new URL('fixtures/records.jsonl.zst', import.meta.url));
    const records = Array.from({ length: 40 }, (_, i) => ({
      text:
        `record ${i} ${'the quick brown fox '.repeat(3 + (i % 5))}jumps over dog number ` +
        `${i * 7}`,
    }));
    const read = await collect({
      path: folder({ 'a.jsonl.zst': zipped }),
      seqLen: 12,
      batchSize: 7,
    });
    expect(read.batches).toEqual(
      (await collect({ path: folder({ 'a.jsonl': lines(...records) }), seqLen: 12, batchSize: 7 }))
        .batches,
    );
    for (let cut = 1; cut < zipped.length; cut += 7) {
      await collect({ path: folder({ 'a.jsonl.zst': zipped.subarray(0, cut) }), seqLen: 12 }).catch(
        (thrown: unknown) => expect(thrown).toMatchObject({ code: 'dataset-invalid' }),
      );
    }
  });

  it('passes on what a few bytes of zstd stand for piece by piece', async () => {
    // 3,000 blocks of one repeated byte: 9 kB for 390 MB in one line, which is passed over, and a
    // record after it
    const block = (last: boolean, type: number, size: number): number[] => {
      const word = (size << 3) | (type << 1) | Number(last);
      return [word & 255, (word >> 8) & 255, word >> 16];
    };
    const text = Buffer.from('\n{"text": "one two three"}\n');
    const bomb = Buffer.from([
      0x28,
      0xb5,
      0x2f,
      0xfd,
      0x00,
      0x38,
      ...Array.from({ length: 3000 }, () => [...block(false, 1, 131_072), 0x61]).flat(),
      ...block(true, 0, text.length),
      ...text,
    ]);
    const before = process.memoryUsage.rss();
    const read = await collect({ path: folder({ 'a.jsonl.zst': bomb }), seqLen: 12 });
    expect(read.stream.summary).toMatchObject({ samples: 1, skippedRecords: 1 });
    // the longest line that is held has 256 MiB
    expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(600);
  });

  it('compressed ones give what they hold', async () => {
    const plain = await collect({
      path: folder({ 'a.jsonl': lines(...records) }),
      seqLen: 12,
      batchSize: 7,
    });
    // several members, as parallel compressors write
    const packed = Buffer.concat([
      gzipSync(lines(...records.slice(0, 11))),
      gzipSync(lines(...records.slice(11))),
    ]);
    const zipped = await collect({
      path: folder({ 'a.jsonl.gz': packed }),
      seqLen: 12,
      batchSize: 7,
    });
    expect(zipped.batches).toEqual(plain.batches);
    expect(zipped.stream.total).toBe(plain.samples.length);
  });

  it('beside .jsonl files are left alone', async () => {
    const path = folder({
      'b.jsonl': lines({ text: 'this' }),
      'a.jsonl.gz': gzipSync(lines({ text: 'not this' })),
      'a.txt': 'nor this',
    });
    expect((await collect({ path, seqLen: 8 })).samples).toEqual([await sampleOf('this', 8)]);
  });

  it('of text are one record each', async () => {
    const path = folder({
      'a.txt': '\ufeffone two\n\nthree\r\nfour  five',
      'b.txt.gz': gzipSync('six\n'),
    });
    const { samples } = await collect({ path, seqLen: 4 });
    expect(samples).toEqual(
      await Promise.all(['one two three four', 'five', 'six'].map((text) => sampleOf(text, 4))),
    );
    const documents = await collect({ path, seqLen: 64, chunking: 'document' });
    expect(documents.samples).toEqual(
      await Promise.all(['one two\n\nthree\nfour  five', 'six'].map((text) => sampleOf(text, 64))),
    );
  });
});

describe('chunking', () => {
  const texts = Array.from(
    { length: 30 },
    (_, n) => `document ${n}:\n  ${'many words '.repeat(n % 7)}end`,
  );
  const path = (): string => folder({ 'a.jsonl': lines(...texts.map((text) => ({ text }))) });

  it('by documents makes one sample of a record, white space and all', async () => {
    const { samples } = await collect({
      path: path(),
      seqLen: 12,
      batchSize: 4,
      chunking: 'document',
    });
    expect(samples).toEqual(await Promise.all(texts.map((text) => sampleOf(text, 12))));
  });

  it.each([7, 64, 10_000])(
    'packed puts all tokens one after the other, %i at a time',
    async (seqLen) => {
      const all = (await tokenizer.encodeBatch(texts)).flat();
      const { samples, batches, stream } = await collect({
        path: path(),
        seqLen,
        batchSize: 4,
        chunking: 'packed',
      });
      expect(samples.flatMap(({ ids, length }) => [...ids.subarray(0, length)])).toEqual(all);
      expect(samples.slice(0, -1).every(({ length }) => length === seqLen)).toBe(true);
      expect(batches.slice(0, -1).every(({ length }) => length === 4)).toBe(true);
      expect(stream.summary).toMatchObject({
        samples: Math.ceil(all.length / seqLen),
        truncatedTokens: 0,
      });
      const some = await collect({
        path: path(),
        seqLen: 7,
        batchSize: 4,
        chunking: 'packed',
        maxSamples: 6,
      });
      expect(some.samples.map(({ ids }) => [...ids])).toEqual(
        Array.from({ length: 6 }, (_, n) => all.slice(7 * n, 7 * n + 7)),
      );
    },
  );

  it('of tokens that are there already takes them as they are', async () => {
    const rows = [[1, 2, 3, 4, 5], [6], [], [7, 8], [4096], [1.5], [-1], 'text', null];
    const where = folder({
      'a.jsonl': lines(...rows.map((input_ids) => ({ input_ids, text: 'not read' })), {
        text: 'x',
      }),
    });
    const { samples, stream } = await collect({ path: where, seqLen: 3, tokensField: 'input_ids' });
    expect(samples.map(({ ids, length }) => [...ids.subarray(0, length)])).toEqual([
      [1, 2, 3],
      [4, 5],
      [6],
      [7, 8],
    ]);
    expect(stream.summary.skippedRecords).toBe(7);
    expect(stream.summary.warnings.map(({ en }) => en)).toEqual([
      '4 lines were skipped: the field `input_ids` is not a list of token ids.',
      '1 line was skipped: the field `input_ids` has a token outside the vocabulary.',
    ]);
    const packed = await collect({
      path: where,
      seqLen: 3,
      tokensField: 'input_ids',
      chunking: 'packed',
    });
    expect(packed.samples.map(({ ids, length }) => [...ids.subarray(0, length)])).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8],
    ]);
  });

  it('finds texts along a path', async () => {
    const where = folder({
      'a.jsonl': lines(
        { data: { text: 'inside' } },
        { data: [{ text: 'no' }] },
        { 'data.text': 'by that very name', data: { text: 'no' } },
        { data: null },
      ),
    });
    const { samples, stream } = await collect({ path: where, seqLen: 8, textField: 'data.text' });
    expect(samples).toEqual([await sampleOf('inside', 8), await sampleOf('by that very name', 8)]);
    expect(stream.summary.skippedRecords).toBe(2);
    const turns = folder({
      'a.jsonl': lines({ messages: [{ content: 'first turn' }, { content: 'second' }] }),
    });
    expect(
      (await collect({ path: turns, seqLen: 8, textField: 'messages.1.content' })).samples,
    ).toEqual([await sampleOf('second', 8)]);
  });

  it('shuffled gives every sample once, in an order that the seed decides', async () => {
    const plain = await collect({ path: path(), seqLen: 4, batchSize: 8 });
    const orders = await Promise.all(
      [1, 1, 2].map(async (shuffle) =>
        (await collect({ path: path(), seqLen: 4, batchSize: 8, shuffle })).samples.map(({ ids }) =>
          ids.join(' '),
        ),
      ),
    );
    expect(orders[0]).toEqual(orders[1]);
    expect(orders[0]).not.toEqual(orders[2]);
    const inOrder = plain.samples.map(({ ids }) => ids.join(' '));
    expect(orders[0]).not.toEqual(inOrder);
    expect([...orders[0]!].sort()).toEqual([...inOrder].sort());
    // through a buffer smaller than the stream
    const items = Array.from({ length: 1000 }, (_, n) => n);
    const mixed: number[] = [];
    for await (const item of shuffled(
      (async function* () {
        yield* items;
      })(),
      { seed: 3, size: 16 },
    ))
      mixed.push(item);
    expect([...mixed].sort((a, b) => a - b)).toEqual(items);
    expect(mixed).not.toEqual(items);
  });
});

describe('long lines and early stops', () => {
  it('reads lines across pieces of the file', async () => {
    const long = Array.from({ length: 60_000 }, (_, n) => `word${n}`).join(' ');
    const { samples } = await collect({
      path: folder({ 'a.jsonl': lines({ text: 'first' }, { text: long }, { text: 'last' }) }),
      seqLen: 512,
    });
    expect(samples).toHaveLength(2 + Math.ceil(60_000 / 512));
    expect(samples.at(-1)).toEqual(await sampleOf('last', 512));
  });

  it('finds the same lines wherever the pieces of a file end', async () => {
    const path = join(folder({ 'a.txt': '' }), 'a.txt');
    for (const end of ['\n', '\r', '\r\n']) {
      const wanted = Array.from({ length: 400 }, (_, n) => 'x'.repeat((n * 7919) % 3000));
      writeFileSync(path, wanted.join(end));
      const found: Line[] = [];
      for await (const line of readLines({ path, format: 'text', compression: 'none' }))
        found.push(line);
      expect(found).toEqual(wanted);
      // `\r\n` across a border of pieces
      const padding = 'y'.repeat(2 ** 18 - 1);
      writeFileSync(path, `${padding}${end}z`);
      const across: Line[] = [];
      for await (const line of readLines({ path, format: 'text', compression: 'none' }))
        across.push(line);
      expect(across).toEqual([padding, 'z']);
    }
  });

  it('reads no further than it must', async () => {
    const record = (_: unknown, n: number) => ({ text: `this is sample number ${n} of a file` });
    const path = folder({
      'a.jsonl': `${lines(...Array.from({ length: 9000 }, record))}not a record\n`,
    });
    // Reading to the end would count the broken record there.
    const few = await collect({ path, seqLen: 16, maxSamples: 5 });
    expect(few.samples).toHaveLength(5);
    expect(few.stream.summary.skippedRecords).toBe(0);
    const all = await collect({ path, seqLen: 16 });
    expect(all.samples).toHaveLength(9000);
    expect(all.stream.summary.skippedRecords).toBe(1);
  });

  it('stops when the reader does', async () => {
    const stream = await openSamples({
      path: folder({
        'a.jsonl': lines(...Array.from({ length: 5000 }, (_, n) => ({ text: `${n}` }))),
      }),
      seqLen: 8,
      batchSize: 10,
      tokenizer,
    });
    let seen = 0;
    for await (const batch of stream) {
      seen += batch.length;
      if (seen >= 30) break;
    }
    expect(stream.summary.samples).toBe(30);
  });
});

describe('data that cannot be used', () => {
  it.each([
    [
      'a folder without files',
      () => folder({ 'notes.md': 'text' }),
      'dataset-invalid',
      /expected a \.jsonl file or a folder with/,
    ],
    [
      'a folder of files that are not read',
      () => folder({ 'train-0.arrow': 'ARROW1' }),
      'dataset-invalid',
      /\.arrow files are not read: .*to_json/,
    ],
    [
      'a file that is not read',
      () => join(folder({ 'a.arrow': 'x' }), 'a.arrow'),
      'dataset-invalid',
      /Dataset\.from_file/,
    ],
    [
      'no zstd file',
      () => folder({ 'a.jsonl.zst': 'plain' }),
      'dataset-invalid',
      /a\.jsonl\.zst: expected a zstd file/,
    ],
    [
      'a damaged gzip file',
      () => folder({ 'a.jsonl.gz': gzipSync(lines({ text: 'a b c' })).subarray(0, 20) }),
      'dataset-invalid',
      /a\.jsonl\.gz: expected a gzip file/,
    ],
    [
      'no gzip file',
      () => folder({ 'a.jsonl.gz': 'plain' }),
      'dataset-invalid',
      /a\.jsonl\.gz: expected a gzip file/,
    ],
    [
      'nothing there',
      () => join(tmpdir(), 'no-such-folder-of-texts'),
      'file-not-found',
      /no-such-folder-of-texts/,
    ],
    [
      'blank texts',
      () => folder({ 'a.jsonl': lines({ text: ' ' }, { other: 'x' }) }),
      'dataset-invalid',
      /no usable sample in 1 file \(2 records skipped\).*`text`/,
    ],
    [
      'other files',
      () => folder({ 'a.jsonl': 'a,b\n1,2\n', 'b.jsonl': '' }),
      'dataset-invalid',
      /2 files.*2 lines were skipped: not JSON/,
    ],
    [
      'binary',
      () => folder({ 'a.jsonl': Buffer.from([0, 255, 254, 10, 200, 13, 0]) }),
      'dataset-invalid',
      /not JSON/,
    ],
  ])('%s', async (_, path, code, message) => {
    const where = path();
    await expect(openSamples({ path: where, seqLen: 8, tokenizer })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    await expect(openSamples({ path: where, seqLen: 8, tokenizer })).rejects.toThrow(where);
  });
});
