/** Data as people have it: JSON documents, folders of the hub, splits, and files that are none. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSamples, type SampleOptions, type SampleSummary } from '#src/data/index.js';
import { loadTokenizer, type Tokenizer } from '#src/lm/index.js';
import { shipped } from '../golden/load.js';

let folder: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-layouts-'));
  tokenizer = await loadTokenizer(shipped('tiny-llama'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A folder with these files, given by their paths in it. */
function tree(files: Record<string, string | Uint8Array>): string {
  const path = mkdtempSync(join(folder, 'tree-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return path;
}

/** Texts of the samples, and the summary. */
async function read(
  path: string,
  options: Partial<SampleOptions> = {},
): Promise<{ texts: string[]; summary: SampleSummary }> {
  const stream = await openSamples({
    path,
    seqLen: 64,
    chunking: 'document',
    tokenizer,
    ...options,
  });
  const texts: string[] = [];
  for await (const batch of stream)
    for (const { ids, length } of batch) texts.push(tokenizer.decode([...ids.slice(1, length)]));
  return { texts, summary: stream.summary };
}
const textsIn = async (path: string, options: Partial<SampleOptions> = {}): Promise<string[]> =>
  (await read(path, options)).texts;

const three = ['one, [two] {three}', 'a "quoted" \\ word', 'the last one'];
const records = three.map((text, n) => ({ id: n, text, nested: { list: [[n], { text: 'no' }] } }));
const lines = (...texts: string[]): string =>
  texts.map((text) => `${JSON.stringify({ text })}\n`).join('');
const parquet = (...texts: string[]): Uint8Array =>
  new Uint8Array(
    parquetWriteBuffer({ columnData: [{ name: 'text', data: texts, type: 'STRING' }] }),
  );

describe('a JSON document', () => {
  const list = JSON.stringify(records);
  const indented = JSON.stringify(records, null, 2);
  it.each<[string, string, string | Uint8Array]>([
    ['a list', 'a.json', list],
    ['an indented list', 'a.json', indented],
    [
      'a list with a byte-order mark and line ends of Windows',
      'a.json',
      `\ufeff${indented.replaceAll('\n', '\r\n')}`,
    ],
    [
      'a list with an item in each line',
      'a.json',
      `[\n${records.map((each) => JSON.stringify(each)).join(',\n')}\n]\n`,
    ],
    ['a list in a file named .jsonl', 'a.jsonl', indented],
    ['a list on one line in a file named .jsonl', 'a.jsonl', list],
    ['a compressed list', 'a.json.gz', gzipSync(indented)],
    ['a list under a key', 'a.json', JSON.stringify({ version: '1', n: [1], 'd"a': records })],
    [
      'an indented list under a key',
      'a.json',
      JSON.stringify({ data: records, info: { x: [{}] } }, null, 1),
    ],
    ['a list of texts', 'a.json', JSON.stringify(three)],
    ['a list of texts under a key', 'a.json', JSON.stringify({ data: three, n: 3 })],
    ['lines in a file named .json', 'a.json', lines(...three)],
    ['one line in a file of no name', 'data', lines(three[0]!) + lines(...three.slice(1))],
    ['numbers of Python', 'a.json', list.replaceAll('"id":', '"x":[NaN,-Infinity],"id":')],
  ])('of %s is read', async (_, name, content) => {
    const path = tree({ [name]: content });
    expect(await textsIn(join(path, name))).toEqual(three);
    if (name !== 'data') expect(await textsIn(path)).toEqual(three);
  });

  it('of one indented record is one record', async () => {
    const record = { text: 'alone', turns: [{ text: 'no' }] };
    const path = tree({
      'a.json': JSON.stringify(record, null, 2),
      'b.json': JSON.stringify(record),
    });
    expect(await textsIn(path)).toEqual(['alone', 'alone']);
  });

  it('has its faults counted by item', async () => {
    const path = tree({
      'a.json': `[{"text": "a"}, {"body": 1}, 7, {"text": bad}, {"text": ""}, {"text": "b"}]`,
    });
    const { texts, summary } = await read(path);
    expect(texts).toEqual(['a', 'b']);
    expect(
      summary.skipped.map(({ reason, first }) => [reason, first.unit, first.number, first.excerpt]),
    ).toEqual([
      ['not-json', 'item', 4, '{"text": bad}'],
      ['not-an-object', 'item', 3, '7'],
      ['field-missing', 'item', 2, '{"body": 1}'],
      ['blank', 'item', 5, '{"text": ""}'],
    ]);
  });

  it('is not mistaken for lines, nor lines for it', async () => {
    const cases: [string, string[]][] = [
      [`[1, 2]\n${lines('a')}`, ['a']],
      [`[{"text": "no"}]\n${lines('a')}`, ['a']],
      [`[\n${lines('a', 'b')}`, ['a', 'b']],
      [`{\n${lines('a', 'b')}`, ['a', 'b']],
      [`{"text": "cut\n${lines('a')}`, ['a']],
      [`{"data": [{"text": "no"}]}\n${lines('a')}`, ['a']],
      [`${lines('a')}[{"text": "no"}]\n`, ['a']],
      [`{"text": "a", "turns": [{"text": "no"}]}`, ['a']],
    ];
    for (const [content, wanted] of cases)
      expect([content, await textsIn(tree({ 'a.jsonl': content }))]).toEqual([content, wanted]);
  });

  it.each<[string, string, RegExp]>([
    [
      'several lists',
      JSON.stringify({ train: records, test: records }),
      /one list of records, found lists under the keys "train", "test"/,
    ],
    ['no end', indented.slice(0, -20), /a JSON list of records, found one without an end/],
    ['no records', '[]', /no usable sample/],
    ['numbers', '[1, 2, 3]', /1 line was skipped: not a JSON object \(first: a\.json, line 1/],
  ])('with %s is refused', async (_, content, message) => {
    await expect(read(tree({ 'a.json': content }))).rejects.toMatchObject({
      code: 'dataset-invalid',
      message: expect.stringMatching(message) as string,
    });
  });
});

describe('a folder of the hub', () => {
  const card = {
    'README.md': '---\nlicense: mit\n---\n',
    '.gitattributes': '',
    'LICENSE.txt': 'MIT',
  };
  const info = { 'dataset_infos.json': '{"default": {}}' };

  it.each<[string, Record<string, string | Uint8Array>]>([
    [
      'parquet below data',
      {
        'data/train-00000-of-00002.parquet': parquet('one'),
        'data/train-00001-of-00002.parquet': parquet('two'),
      },
    ],
    ['lines below a configuration', { 'en/train.jsonl': lines('one', 'two') }],
    ['texts below two levels', { 'raw/en/a.txt': 'one', 'raw/en/b.txt': 'two' }],
    [
      'a document beside the card',
      { 'train.json': JSON.stringify([{ text: 'one' }, { text: 'two' }]) },
    ],
    [
      'a folder of a split',
      { 'data/train/a.jsonl': lines('one'), 'data/train/b.jsonl': lines('two') },
    ],
  ])('with %s is read from its root', async (_, files) => {
    expect(await textsIn(tree({ ...card, ...info, ...files }))).toEqual(['one', 'two']);
  });

  const splits = {
    'data/train-00000-of-00002.jsonl': lines('one'),
    'data/train-00001-of-00002.jsonl': lines('two'),
    'data/test-00000-of-00001.jsonl': lines('no'),
  };
  it.each<[string, Record<string, string | Uint8Array>, string]>([
    ['shards', splits, ''],
    ['shards, given their folder', splits, 'data'],
    ['lines', { 'train.jsonl': lines('one', 'two'), 'test.jsonl': lines('no') }, ''],
    [
      'shards of C4',
      {
        'c4-train.00000-of-01024.jsonl': lines('one', 'two'),
        'c4-test.00000-of-00008.jsonl': lines('no'),
      },
      '',
    ],
    ['texts', { 'train.txt': 'one', 'test.txt': 'no' }, ''],
    ['folders', { 'train/x.jsonl': lines('one', 'two'), 'test/x.jsonl': lines('no') }, ''],
    [
      'folders below data',
      { 'data/train/0.parquet': parquet('one', 'two'), 'data/test/0.parquet': parquet('no') },
      '',
    ],
  ])('never mixes splits unasked: %s', async (name, files, below) => {
    const path = join(tree(files), below);
    await expect(read(path)).rejects.toMatchObject({
      code: 'dataset-invalid',
      message: expect.stringMatching(/test.*train.*dataset\.split/) as string,
    });
    expect(await textsIn(path, { split: 'train' })).toEqual(
      name === 'texts' ? ['one'] : ['one', 'two'],
    );
    expect(await textsIn(path, { split: 'test' })).toEqual(['no']);
    await expect(read(path, { split: 'validation' })).rejects.toThrow(
      /expected files of the split 'validation' \(dataset\.split\), found test, train/,
    );
  });

  it('reads one split, names without one, and titles of texts as they are', async () => {
    expect(await textsIn(tree({ 'test.jsonl': lines('one') }))).toEqual(['one']);
    expect(await textsIn(tree({ 'a.jsonl': lines('a'), 'train.jsonl': lines('b') }))).toEqual([
      'a',
      'b',
    ]);
    expect(await textsIn(tree({ 'test of time.txt': 'a', 'train to busan.txt': 'b' }))).toEqual([
      'a',
      'b',
    ]);
    const dev = tree({ 'dev.jsonl': lines('a'), 'train.jsonl': lines('b') });
    expect(await textsIn(dev, { split: 'dev' })).toEqual(['a']);
    expect(await textsIn(dev, { split: 'validation' })).toEqual(['a']);
    await expect(read(join(dev, 'dev.jsonl'), { split: 'train' })).rejects.toThrow(
      /the split 'train' \(dataset\.split\), found validation/,
    );
  });

  it.each<[string, Record<string, string | Uint8Array>, RegExp]>([
    [
      'several configurations',
      { 'en/train.jsonl': lines('a'), 'fr/train.jsonl': lines('b') },
      /in 2 sub-folders: en \(1 file\), fr \(1 file\)\. Give one of them as dataset\.path\./,
    ],
    [
      'save_to_disk',
      { 'dataset_info.json': '{}', 'state.json': '{}', 'data-00000-of-00001.arrow': '' },
      /\(\.arrow .*`datasets\.load_from_disk\("[^"]*tree-\w+"\)\.to_json/,
    ],
    [
      'a DatasetDict',
      {
        'dataset_dict.json': '{}',
        'train/data-00000-of-00001.arrow': '',
        'train/state.json': '{}',
      },
      /\(in train: \.arrow .*`datasets\.load_from_disk\("[^"]*tree-\w+\/train"\)\.to_json/,
    ],
    ['tables', { 'data/train.csv': 'text\na\n' }, /in data: \.csv files are not read: .*pandas/],
    ['an archive', { 'data.tar.gz': '' }, /\.tar\.gz files are not read: unpack them/],
    ['nothing', { 'README.md': '' }, /found a folder without any\.$/],
    ['documents and texts', { 'a.json': '[]', 'b.txt': 'b' }, /found 1 \.json and 1 \.txt/],
  ])('with %s is refused with a word that helps', async (_, files, message) => {
    await expect(read(tree(files))).rejects.toMatchObject({
      code: 'dataset-invalid',
      message: expect.stringMatching(message) as string,
    });
  });

  it('has a file that is not read refused by its name too', async () => {
    await expect(read(join(tree({ 'a.csv': 'text\na\n' }), 'a.csv'))).rejects.toThrow(
      /a\.csv: \.csv files are not read/,
    );
  });
});

describe('a file that came instead of another', () => {
  const pointer =
    'version https://git-lfs.github.com/spec/v1\n' +
    `oid sha256:${'0123456789abcdef'.repeat(4)}\nsize 2147483648\n`;
  const page = '<!DOCTYPE html><html><head><title>Sign in</title></head></html>';
  it.each<[string, string, string, RegExp]>([
    ['parquet', 'train.parquet', pointer, /Git LFS pointer.*git lfs pull/],
    ['lines', 'train.jsonl', pointer, /Git LFS pointer.*2147483648 bytes/],
    ['compressed lines', 'train.jsonl.gz', pointer, /Git LFS pointer/],
    ['a document', 'train.json', page, /HTML page/],
    ['a text', 'train.txt', pointer, /Git LFS pointer/],
    ['a page in place of parquet', 'train.parquet', page, /HTML page/],
  ])('is named: %s', async (_, name, content, message) => {
    const path = tree({ [`data/${name}`]: content, [`data/a${/\..*/.exec(name)![0]}`]: '' });
    for (const given of [path, join(path, 'data', name)])
      await expect(read(given)).rejects.toMatchObject({
        code: 'dataset-invalid',
        message: expect.stringMatching(message) as string,
      });
  });
});
