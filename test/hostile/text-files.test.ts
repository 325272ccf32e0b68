/**
 * Compressed text and JSON lines from hostile hands: bombs, lies and random changes end in an error
 * or are read, within bounded memory.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { listFiles } from '#src/data/files.js';
import { readPieces } from '#src/data/pieces.js';
import { SkippedRecords } from '#src/data/skipped.js';
import { Vocabulary } from '#src/data/vocabulary.js';
import { SaeEvalError } from '#src/errors.js';
import { loadTokenizer } from '#src/lm/index.js';
import { root } from '../golden/load.js';
import { mutated, randomBits } from './checkpoint-mutations.js';
import { zipOf } from './checkpoint-files.js';
import { full } from '../full.js';

const count = full ? 10_000 : 100;
let folder: string;
let vocabulary: Vocabulary;
beforeAll(async () => {
  const tokenizer = await loadTokenizer(`${root}checkpoints/tiny-llama`);
  vocabulary = new Vocabulary(tokenizer, tokenizer.vocabulary);
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-text-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A zstd frame of raw blocks, and of one block that repeats a byte (RFC 8878). */
function zstd(content: Buffer, repeats = 0): Buffer {
  // no checksum, a window of 2 MiB
  const parts: Buffer[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58])];
  const block = (type: number, size: number, bytes: Buffer, last: boolean): void => {
    const header = (size << 3) | (type << 1) | (last ? 1 : 0);
    parts.push(Buffer.from([header & 255, (header >> 8) & 255, (header >> 16) & 255]), bytes);
  };
  block(0, content.length, content, repeats === 0);
  for (let i = 1; i <= repeats; i++) block(1, 128 * 1024, Buffer.from('x'), i === repeats);
  return Buffer.concat(parts);
}

const lines = Buffer.from(
  '' +
    Array.from({ length: 20 }, (_, i) =>
      JSON.stringify({
        text: `record ${i} ünï ${'word '.repeat(i)}`,
        meta: { n: i, deep: [[[i]]] },
      }),
    ).join('\n') +
    `\n`,
);

async function samples(path: string): Promise<{ pieces: number; skipped: number }> {
  const skipped = new SkippedRecords();
  let pieces = 0;
  const source = {
    files: await listFiles(path),
    textField: 'text',
    tokensField: null,
    chunking: 'words' as const,
    seqLen: 4,
    vocabulary,
  };
  for await (const _ of readPieces(source, { skipped })) pieces++;
  return { pieces, skipped: skipped.total };
}

describe(`${count} mutations`, () => {
  it.each<[string, Buffer]>([
    ['lines.jsonl', lines],
    ['lines.jsonl.gz', gzipSync(lines)],
    ['lines.jsonl.zst', zstd(lines)],
    ['text.txt', lines],
  ])(
    '%s',
    async (name, original) => {
      const path = join(folder, name);
      const random = randomBits(20_261_126);
      const counts = { read: 0, skipped: 0, refused: 0 };
      let slowest = 0;
      for (let i = 0; i < count; i++) {
        writeFileSync(path, mutated(original, random));
        const from = performance.now();
        try {
          const { skipped } = await samples(path);
          counts.read += 1;
          counts.skipped += skipped > 0 ? 1 : 0;
        } catch (error) {
          if (!(error instanceof SaeEvalError) || error.code !== 'dataset-invalid')
            throw new Error(`mutation ${i} of ${name}`, { cause: error });
          counts.refused += 1;
        }
        slowest = Math.max(slowest, performance.now() - from);
      }
      console.log(
        `${name}: ${counts.read} read, ${counts.skipped} of them with records skipped, ` +
          `${counts.refused} refused; slowest ${slowest.toFixed(1)} ms; peak memory ` +
          `${Math.round(process.resourceUsage().maxRSS / 1024)} MB`,
      );
      expect(counts.read + counts.refused).toBe(count);
    },
    900_000,
  );
});

/** Peak memory in MB of a process of its own that reads the data set, and what it says. */
async function peakOf(path: string): Promise<{ megabytes: number; said: string }> {
  const code = `
    const { listFiles } = await import('#src/data/files.js');
    const { readPieces } = await import('#src/data/pieces.js');
    const { SkippedRecords } = await import('#src/data/skipped.js');
    let said = '';
    const skipped = new SkippedRecords();
    const settings = {
      textField: 'text', tokensField: null, chunking: 'words', seqLen: 64, vocabulary: null,
    };
    try {
      let pieces = 0;
      const files = await listFiles(${JSON.stringify(path)});
      const read = readPieces({ files, ...settings }, { skipped, tokenizes: false });
      for await (const _ of read) pieces++;
      said = pieces + ' pieces, ' + skipped.total + ' skipped';
    } catch (error) { said = error.code; }
    const megabytes = Math.round(process.resourceUsage().maxRSS / 1024);
    console.log(JSON.stringify({ megabytes, said }));`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', code],
    { timeout: 110_000 },
  );
  return JSON.parse(stdout) as { megabytes: number; said: string };
}

describe('bombs', () => {
  // Node itself takes some 60 MB.
  const mostMegabytes = 400;
  const inside = (path: string, content: Uint8Array): string => {
    writeFileSync(join(folder, path), content);
    return join(folder, path);
  };

  it('a line of 1 GB in a megabyte of gzip is passed over, not held', async () => {
    const piece = gzipSync(Buffer.alloc(2 ** 24, 'x'));
    const path = inside(
      'bomb.jsonl.gz',
      Buffer.concat([
        ...Array.from({ length: 64 }, () => piece),
        gzipSync(Buffer.from('\n{"text": "after it"}\n')),
      ]),
    );
    const { megabytes, said } = await peakOf(path);
    console.log(`gzip bomb: ${said}; peak memory ${megabytes} MB`);
    expect(said).toBe('1 pieces, 1 skipped');
    expect(megabytes).toBeLessThan(mostMegabytes);
  });

  it.runIf(full)('a line of 1 GB in 33 kB of zstd too', async () => {
    const path = inside(
      'bomb.jsonl.zst',
      Buffer.concat([
        zstd(Buffer.from('{"text": "'), 8192),
        zstd(Buffer.from('\n{"text": "after it"}\n')),
      ]),
    );
    const { megabytes, said } = await peakOf(path);
    console.log(`zstd bomb: ${said}; peak memory ${megabytes} MB`);
    expect(said).toBe('1 pieces, 1 skipped');
    expect(megabytes).toBeLessThan(mostMegabytes);
  });

  it.each(['zstd', 'gzip', 'brotli'])(
    'a parquet page of 64 MB in a few kilobytes of %s is refused',
    async (codec) => {
      const { said, megabytes } = await peakOf(
        `${root}test/data/fixtures/parquet/bomb-${codec}.parquet`,
      );
      console.log(`parquet bomb, ${codec}: ${said}; peak memory ${megabytes} MB`);
      expect(said).toBe('dataset-invalid');
      expect(megabytes).toBeLessThan(mostMegabytes);
    },
  );

  it('an .npz of zeros that stands for 200 MB in 200 kB is refused by its directory', async () => {
    const header = Buffer.from(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (52428800,), }".padEnd(117) + '\n',
    );
    const head = Buffer.concat([
      Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
      Buffer.from([header.length & 255, header.length >> 8]),
      header,
    ]);
    const content = deflateRawSync(Buffer.concat([head, Buffer.alloc(4 * 52_428_800)]));
    const path = inside(
      'bomb.npz',
      zipOf([
        {
          name: 'W_enc.npy',
          bytes: content,
          lies: {
            method: 8,
            compressed: content.length,
            uncompressed: head.length + 4 * 52_428_800,
          },
        },
      ]),
    );
    await expect(readCheckpoint(path)).rejects.toMatchObject({
      code: 'checkpoint-format',
      message: expect.stringContaining('more than weights can') as string,
    });
  });
});
