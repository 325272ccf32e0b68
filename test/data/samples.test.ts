import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openSamples, type Sample, type SampleOptions } from '#src/data/index.js';
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

const lines = (...records: unknown[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('');

async function collect(options: Omit<SampleOptions, 'tokenizer'>): Promise<{ batches: Sample[][]; samples: Sample[]; stream: Awaited<ReturnType<typeof openSamples>> }> {
  const stream = await openSamples({ tokenizer, ...options });
  const batches: Sample[][] = [];
  for await (const batch of stream) batches.push(batch);
  return { batches, samples: batches.flat(), stream };
}

/** A sample by its definition. */
async function sampleOf(text: string, T: number): Promise<Sample> {
  const [ids] = await tokenizer.encodeBatch([text]);
  const kept = ids!.slice(0, T);
  return { ids: Int32Array.from({ length: T }, (_, t) => kept[t] ?? tokenizer.padId), length: kept.length, truncated: ids!.length - kept.length };
}

interface Case {
  files: Record<string, string>;
  seqLen: number;
  chunks: string[];
  counts: { notJson: number; notAnObject: number; notAString: number; blank: number };
}

describe('folders of files', () => {
  const cases = JSON.parse(readFileSync(new URL('golden/files.json', import.meta.url), 'utf8')) as Case[];

  it.each(cases.map((each, index) => [index, each] as const))('case %i gives the chunks of an independent implementation', async (_, { files, seqLen, chunks, counts }) => {
    const path = folder(Object.fromEntries(Object.entries(files).map(([name, content]) => [name, Buffer.from(content, 'base64')])));
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
    for (const [count, what] of [[notJson, 'not JSON.'], [notAnObject, 'not a JSON object.'], [notAString, 'not a string.']] as const) {
      expect(said.filter((text) => text.endsWith(what)).map((text) => Number.parseInt(text, 10))).toEqual(count === 0 ? [] : [count]);
    }
  });

  it('leaves sub-folders alone and follows links', async () => {
    const elsewhere = folder({ 'linked.jsonl': lines({ text: 'linked' }) });
    const path = folder({ 'b.jsonl': lines({ text: 'second' }) });
    mkdirSync(join(path, 'sub.jsonl'));
    mkdirSync(join(path, 'sub'));
    writeFileSync(join(path, 'sub', 'c.jsonl'), lines({ text: 'never' }));
    symlinkSync(join(elsewhere, 'linked.jsonl'), join(path, 'a.jsonl'));
    const { samples } = await collect({ path, seqLen: 8 });
    expect(samples.map(({ ids, length }) => tokenizer.decode([...ids.slice(1, length)]))).toEqual(['linked', 'second']);
  });
});

describe('samples', () => {
  const path = (): string => folder({ 'text.jsonl': lines(...Array.from({ length: 23 }, (_, n) => ({ text: `sample number ${n}` }))) });

  it('come in batches of consecutive ones, the last smaller', async () => {
    const { batches } = await collect({ path: path(), seqLen: 16, batchSize: 10 });
    expect(batches.map(({ length }) => length)).toEqual([10, 10, 3]);
  });

  it.each([1, 9, 10, 11, 20, 22])('stop at maxSamples (%i)', async (maxSamples) => {
    const { samples, stream } = await collect({ path: path(), seqLen: 16, batchSize: 10, maxSamples });
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
    expect((await collect({ path: where, seqLen: 3, batchSize: 4, skipBatches: 6 })).batches.length).toBe(whole.batches.length - 6);
  });

  it('count special tokens and what truncation loses', async () => {
    const { samples, stream } = await collect({ path: folder({ 'a.jsonl': lines({ text: 'one two three' }) }), seqLen: 2 });
    expect(samples.map(({ ids }) => ids[0])).toEqual([4093, 4093]);
    expect(samples[0]).toEqual(await sampleOf('one two', 2));
    expect(samples[0]!.truncated).toBeGreaterThan(0);
    expect(stream.summary.truncatedTokens).toBe(samples[0]!.truncated + samples[1]!.truncated);
  });

  it('read another field, and one file', async () => {
    const where = folder({ 'a.jsonl': lines({ body: 'yes', text: 'no' }, { text: 'no' }, { constructor: 'x' }) });
    const { samples, stream } = await collect({ path: join(where, 'a.jsonl'), seqLen: 8, textField: 'body' });
    expect(samples).toEqual([await sampleOf('yes', 8)]);
    expect(stream.summary.skippedRecords).toBe(2);
    // a field that every object inherits is still missing
    await expect(openSamples({ path: folder({ 'a.jsonl': lines({ text: 'x' }) }), seqLen: 8, tokenizer, textField: 'toString' })).rejects.toMatchObject({ code: 'dataset-invalid' });
  });

  it('are the shipped ones', async () => {
    const { samples, stream } = await collect({ path: `${root}checkpoints/eval`, seqLen: 256, maxSamples: 150 });
    expect(samples).toHaveLength(150);
    expect(samples.reduce((sum, { length }) => sum + length, 0)).toBe(34_054);
    expect(stream.summary).toMatchObject({ samples: 150, skippedRecords: 0, warnings: [] });
  });
});

describe('long lines and early stops', () => {
  it('reads lines across pieces of the file', async () => {
    const long = Array.from({ length: 60_000 }, (_, n) => `word${n}`).join(' ');
    const { samples } = await collect({ path: folder({ 'a.jsonl': lines({ text: 'first' }, { text: long }, { text: 'last' }) }), seqLen: 512 });
    expect(samples).toHaveLength(2 + Math.ceil(60_000 / 512));
    expect(samples.at(-1)).toEqual(await sampleOf('last', 512));
  });

  it('reads no further than it must', async () => {
    const path = folder({ 'a.jsonl': lines(...Array.from({ length: 50_000 }, (_, n) => ({ text: `this is sample number ${n} of a file` }))) });
    const started = performance.now();
    const { samples } = await collect({ path, seqLen: 16, maxSamples: 5 });
    expect(samples).toHaveLength(5);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it('stops when the reader does', async () => {
    const stream = await openSamples({ path: folder({ 'a.jsonl': lines(...Array.from({ length: 5000 }, (_, n) => ({ text: `${n}` }))) }), seqLen: 8, batchSize: 10, tokenizer });
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
    ['a folder without files', () => folder({ 'notes.txt': 'text' }), 'dataset-invalid', /expected a \.jsonl file or a folder with/],
    ['nothing there', () => join(tmpdir(), 'no-such-folder-of-texts'), 'file-not-found', /no-such-folder-of-texts/],
    ['blank texts', () => folder({ 'a.jsonl': lines({ text: ' ' }, { other: 'x' }) }), 'dataset-invalid', /no usable sample in 1 file \(2 records skipped\).*`text`/],
    ['other files', () => folder({ 'a.jsonl': 'a,b\n1,2\n', 'b.jsonl': '' }), 'dataset-invalid', /2 files.*2 lines were skipped: not JSON/],
    ['binary', () => folder({ 'a.jsonl': Buffer.from([0, 255, 254, 10, 200, 13, 0]) }), 'dataset-invalid', /not JSON/],
  ])('%s', async (_, path, code, message) => {
    const where = path();
    await expect(openSamples({ path: where, seqLen: 8, tokenizer })).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(openSamples({ path: where, seqLen: 8, tokenizer })).rejects.toThrow(where);
  });
});
