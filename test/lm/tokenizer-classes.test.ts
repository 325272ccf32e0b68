/** Tokenizer files of many kinds against AutoTokenizer (test/golden/tokenizer-classes). */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTokenizer } from '#src/lm/index.js';
import { describe, expect, it } from 'vitest';
import { root } from './reference.js';

interface Case {
  name: string;
  base: string;
  changes: Record<string, unknown>;
  files: Record<string, unknown>;
  expected: { pad: number; bos: number | null; specials: number[]; size: number; ids: number[][] };
}

const read = (path: string): unknown =>
  JSON.parse(readFileSync(`${root}test/golden/${path}`, 'utf8'));
const { texts, cases } = read('tokenizer-classes/cases.json') as { texts: string[]; cases: Case[] };

describe('a tokenizer as AutoTokenizer makes it', () => {
  it.each(cases)('$name', async ({ base, changes, files, expected }) => {
    const folder = mkdtempSync(join(tmpdir(), 'tokenizer-class-'));
    const tokenizer = read(`models-tokenizers/${base}/tokenizer.json`) as object;
    const all = { ...files, 'tokenizer.json': { ...tokenizer, ...changes } };
    for (const [name, json] of Object.entries(all))
      writeFileSync(join(folder, name), JSON.stringify(json));
    const loaded = await loadTokenizer(folder);
    expect(await loaded.encodeBatch(texts)).toEqual(expected.ids);
    expect({
      pad: loaded.padId,
      bos: loaded.bosId,
      size: loaded.vocabulary,
    }).toEqual({ pad: expected.pad, bos: expected.bos, size: expected.size });
    // Marks in files that transformers does not hear count too.
    expect([...loaded.specialIds]).toEqual(expect.arrayContaining(expected.specials));
    rmSync(folder, { recursive: true });
  });
});
