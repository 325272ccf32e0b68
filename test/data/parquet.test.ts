/** Parquet files, of pyarrow and damaged ones, as data sets. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSamples, type Sample, type SampleOptions } from '#src/data/index.js';
import { readParquetColumn, type ParquetOptions } from '#src/data/parquet.js';
import { loadTokenizer, type Tokenizer } from '#src/lm/index.js';
import { root, shipped } from '../golden/load.js';
import { full } from '../full.js';

/** Files of pyarrow and what is in them (fixtures/parquet/make.py). */
const fixtures = `${root}test/data/fixtures/parquet/`;
const written = JSON.parse(readFileSync(`${fixtures}expected.json`, 'utf8')) as {
  files: string[];
  texts: (string | null)[];
  bodies: string[];
  ids: number[][];
};

let folder: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-parquet-'));
  tokenizer = await loadTokenizer(shipped('tiny-llama'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const words = (n: number): string => `record ${n} ${'and some more of it '.repeat(n % 7)}`;
const write = (name: string, content: Uint8Array | string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const parquet = (
  columns: Parameters<typeof parquetWriteBuffer>[0]['columnData'],
  options: object = {},
): Uint8Array => new Uint8Array(parquetWriteBuffer({ columnData: columns, ...options }));

async function collect(
  options: Omit<SampleOptions, 'tokenizer'>,
): Promise<{ samples: Sample[]; skipped: number }> {
  const stream = await openSamples({ ...options, tokenizer });
  const samples: Sample[] = [];
  for await (const batch of stream) samples.push(...batch);
  return { samples, skipped: stream.summary.skippedRecords };
}

async function values(
  path: string,
  column: string,
  { most = Infinity, ...options }: ParquetOptions & { most?: number } = {},
): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const value of readParquetColumn(path, column, options)) {
    found.push(value);
    if (found.length >= most) break;
  }
  return found;
}

describe('parquet', () => {
  it('gives the same samples as the lines it was made of, in every codec', async () => {
    const texts = Array.from({ length: 300 }, (_, n) => (n % 11 === 0 ? null : words(n)));
    const lines = await collect({
      path: write(
        'same.jsonl',
        texts.flatMap((text) => (text === null ? [] : [JSON.stringify({ text })])).join('\n'),
      ),
      seqLen: 12,
    });
    for (const codec of ['SNAPPY', 'UNCOMPRESSED'] as const) {
      const path = write(
        `${codec}.parquet`,
        parquet(
          [
            { name: 'id', data: texts.map((_, n) => n) },
            { name: 'text', data: texts, type: 'STRING' },
          ],
          { codec, rowGroupSize: 64 },
        ),
      );
      const found = await collect({ path, seqLen: 12 });
      expect(found.samples).toEqual(lines.samples);
      expect(found.skipped).toBe(28);
    }
  });

  it.each(written.files)('%s of pyarrow gives its records', async (name) => {
    const column = async (field: string): Promise<unknown[]> =>
      (await values(`${fixtures}${name}`, field)).map(
        (record) => (record as Record<string, unknown>)[field.split('.')[0]!] ?? null,
      );
    expect(await column('text')).toEqual(written.texts);
    expect(await column('wide')).toEqual(written.texts);
    expect((await column('meta.body')).map((meta) => (meta as { body: string }).body)).toEqual(
      written.bodies,
    );
    expect((await column('input_ids')).map((ids) => Array.from(ids as Iterable<number>))).toEqual(
      written.ids,
    );
  });

  it('reads fields inside a column, and tokens', async () => {
    const path = write(
      'nested.parquet',
      parquet([
        {
          name: 'data',
          data: Array.from({ length: 5 }, (_, n) => ({ text: words(n) })),
          type: 'JSON',
        },
        { name: 'ids', data: Array.from({ length: 5 }, (_, n) => [1 + n, 2, 3]), type: 'JSON' },
      ]),
    );
    expect((await collect({ path, seqLen: 50, textField: 'data.text' })).samples).toHaveLength(5);
    const { samples } = await collect({ path, seqLen: 3, tokensField: 'ids' });
    expect(samples.map(({ ids }) => Array.from(ids))).toEqual(
      Array.from({ length: 5 }, (_, n) => [1 + n, 2, 3]),
    );
  });

  it('reads no more of a file than is asked for, and no other column', async () => {
    const noise = (n: number): string =>
      Array.from({ length: 200 }, (_, i) =>
        Math.imul(n * 200 + i + 1, 2_654_435_761).toString(36),
      ).join('');
    const rows = Array.from({ length: 1000 }, (_, n) => n);
    const content = parquet(
      [
        { name: 'large', data: rows.map(noise), type: 'STRING' },
        { name: 'text', data: rows.map((n) => `${words(n)} ${noise(n + 5000)}`), type: 'STRING' },
      ],
      { codec: 'UNCOMPRESSED', rowGroupSize: 50 },
    );
    const path = write('long.parquet', content);
    let bytes = 0;
    expect(
      await values(path, 'text', {
        most: 10,
        onBytes: (count) => {
          bytes += count;
        },
      }),
    ).toHaveLength(10);
    // the footer is fetched with half a megabyte before it
    expect(bytes).toBeLessThan(content.length / 20 + 2 ** 19 + 100_000);
    expect(content.length).toBeGreaterThan(2 ** 21);
  });

  it('is refused with one error where it is damaged, lies, or has no such column', async () => {
    const good = parquet([
      { name: 'text', data: Array.from({ length: 50 }, (_, n) => words(n)), type: 'STRING' },
    ]);
    await expect(values(write('a.parquet', good), 'body')).rejects.toMatchObject({
      code: 'dataset-invalid',
      message: expect.stringMatching(/a column body, found text/) as string,
    });
    await expect(values(write('b.parquet', 'no parquet'), 'text')).rejects.toMatchObject({
      code: 'dataset-invalid',
      message: expect.stringMatching(/b\.parquet: expected a parquet file/) as string,
    });
    await expect(
      values(write('c.parquet', good.subarray(0, good.length - 20)), 'text'),
    ).rejects.toMatchObject({ code: 'dataset-invalid' });
    await expect(values(join(folder, 'nowhere.parquet'), 'text')).rejects.toMatchObject({
      code: 'dataset-invalid',
    });
  });

  it('with bytes changed at random is read or refused, and ends nothing', async () => {
    const own = parquet(
      [{ name: 'text', data: Array.from({ length: 40 }, (_, n) => words(n)), type: 'STRING' }],
      { codec: 'SNAPPY', rowGroupSize: 20 },
    );
    const originals = [
      own,
      ...written.files.map((name) => new Uint8Array(readFileSync(`${fixtures}${name}`))),
    ];
    let state = 20_261_123;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state % below;
    };
    const count = full ? 10_000 : 20;
    let [read, refused, next] = [0, 0, 0];
    // Several at a time, since each waits for a worker to start; the mutations come in one order
    // all the same.
    const oneAfterAnother = async (_: unknown, lane: number): Promise<void> => {
      while (next < count) {
        const mutated = Uint8Array.from(originals[next++ % originals.length]!);
        for (let changes = 1 + random(8); changes > 0; changes--)
          mutated[random(mutated.length)] = random(256);
        const path = write(`mutated-${lane}.parquet`, mutated);
        await values(path, 'text', { patienceMs: 4000 }).then(
          () => read++,
          (thrown: unknown) => {
            expect(thrown).toMatchObject({ code: 'dataset-invalid' });
            refused++;
          },
        );
      }
    };
    await Promise.all(Array.from({ length: 4 }, oneAfterAnother));
    console.log(
      `parquet: ${read} read, ${refused} refused; peak memory ` +
        `${Math.round(process.resourceUsage().maxRSS / 1024)} MB`,
    );
    expect(read + refused).toBe(count);
  }, 3_600_000);
});
