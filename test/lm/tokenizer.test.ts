/** Tokenizers against the ids of transformers (test/golden/models-tokenizers). */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadTokenizer } from '#src/lm/index.js';
import { describe, expect, it } from 'vitest';
import { root } from './reference.js';
import { full } from '../full.js';

interface Expected {
  texts: string[];
  tokenizers: Record<
    string,
    {
      pad: number;
      bos: number | null;
      specials: number[];
      ids: number[][];
      bare: number[][];
      truncated: number[][];
      decoded: string[];
    }
  >;
}

const folder = `${root}test/golden/models-tokenizers`;
const { texts, tokenizers } = JSON.parse(
  readFileSync(`${folder}/expected.json`, 'utf8'),
) as Expected;
const pathOf = (name: string): string =>
  name === 'tiny-llama' ? `${root}checkpoints/tiny-llama` : `${folder}/${name}`;

describe.each(Object.keys(tokenizers))('the tokenizer %s', (name) => {
  const expected = tokenizers[name]!;

  it('gives the ids of transformers', async () => {
    const tokenizer = await loadTokenizer(pathOf(name));
    expect(await tokenizer.encodeBatch(texts)).toEqual(expected.ids);
    expect(await tokenizer.encodeBatch(texts, { specials: 'none' })).toEqual(expected.bare);
  });

  it('knows its special tokens', async () => {
    const tokenizer = await loadTokenizer(pathOf(name));
    expect([...tokenizer.specialIds].sort((a, b) => a - b)).toEqual(expected.specials);
    expect(tokenizer.bosId).toBe(expected.bos);
    const first = expected.ids.map((ids) => ids[0]);
    const bare = expected.bare.map((ids) => ids[0]);
    expect(tokenizer.addsBos).toBe(first.some((id, i) => id !== bare[i] && id === expected.bos));
  });

  it('truncates as transformers does', async () => {
    const tokenizer = await loadTokenizer(pathOf(name));
    const ids = await tokenizer.encodeBatch(texts);
    expect(ids.map((all) => [...tokenizer.truncate(all, 12)])).toEqual(expected.truncated);
  });

  it('pads with the pad token, or else the end of sequence', async () => {
    expect((await loadTokenizer(pathOf(name))).padId).toBe(expected.pad);
  });

  it('decodes', async () => {
    const tokenizer = await loadTokenizer(pathOf(name));
    expect(expected.ids.map((ids) => tokenizer.decode(ids))).toEqual(expected.decoded);
  });
});

describe('the golden texts', () => {
  it('have the ids they were given', async () => {
    const { texts: golden, input_ids } = JSON.parse(
      readFileSync(`${root}test/golden/texts.json`, 'utf8'),
    ) as { texts: string[]; input_ids: number[][] };
    const tokenizer = await loadTokenizer(`${root}checkpoints/tiny-llama`);
    expect(await tokenizer.encodeBatch(golden)).toEqual(input_ids);
    expect(tokenizer.padId).toBe(4095);
    expect(await tokenizer.encodeBatch([])).toEqual([]);
  });
});

describe('a tokenizer that cannot be loaded', () => {
  const made = (files: Record<string, string>): string => {
    const path = mkdtempSync(join(tmpdir(), 'tokenizer-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
    return path;
  };
  const good = readFileSync(`${root}checkpoints/tiny-llama/tokenizer.json`, 'utf8');

  const damaged = (
    name: string,
    change: (json: Record<string, Record<string, unknown>>) => void,
  ): string => {
    const json = JSON.parse(readFileSync(`${folder}/${name}/tokenizer.json`, 'utf8')) as Record<
      string,
      Record<string, unknown>
    >;
    change(json);
    return JSON.stringify(json);
  };

  it.each([
    // These two would end the process inside the native library.
    [
      'has merges without their prefix',
      {
        'tokenizer.json': damaged(
          'byte-level',
          (json) => (json['model']!['continuing_subword_prefix'] = '##########'),
        ),
      },
      /lacks the continuing_subword_prefix/,
    ],
    [
      'has a template without its tokens',
      {
        'tokenizer.json': damaged(
          'sentencepiece',
          (json) => (json['post_processor']!['special_tokens'] = {}),
        ),
      },
      /'<s>' is used and not given/,
    ],
    ['is not there', {}, /tokenizer\.json: there is no such file/],
    ['is not JSON', { 'tokenizer.json': '{"model": ' }, /expected a tokenizer/],
    ['is other JSON', { 'tokenizer.json': '{"model": {"type": "None"}}' }, /expected a tokenizer/],
    [
      'has settings that are not JSON',
      { 'tokenizer.json': good, 'tokenizer_config.json': '{' },
      /tokenizer_config\.json: expected JSON/,
    ],
    [
      'splits special tokens',
      { 'tokenizer.json': good, 'tokenizer_config.json': '{"split_special_tokens": true}' },
      /split_special_tokens: expected false/,
    ],
    [
      'has files of 2019 alone',
      { 'vocab.json': '{}', 'merges.txt': '' },
      /AutoTokenizer\.from_pretrained/,
    ],
    [
      'has nothing to pad with',
      { 'tokenizer.json': good },
      /expected a pad or end-of-sequence token/,
    ],
  ])('%s', async (_, files, message) => {
    await expect(loadTokenizer(made(files))).rejects.toMatchObject({
      code: 'tokenizer-invalid',
      message: expect.stringMatching(message),
    });
  });
});

// transformers 5 gives `pad_token_id ?? eos_token_id` for such folders; Llama 2's have a
// `pad_token_id` and a tokenizer without a pad token.
describe('the pad token', () => {
  const tokenizer = JSON.parse(readFileSync(`${folder}/unigram/tokenizer.json`, 'utf8')) as Record<
    string,
    unknown
  >;
  const padding = {
    strategy: { Fixed: 9 },
    direction: 'Left',
    pad_to_multiple_of: null,
    pad_id: 0,
    pad_type_id: 0,
    pad_token: '<pad>',
  };
  const ids = { '<pad>': 0, '</s>': 1, model: 7 };

  it.each([
    [
      'of the end of sequence, whatever the model says',
      null,
      { eos_token: '</s>' },
      { pad_token_id: ids.model },
      ids['</s>'],
    ],
    ['named by the padding section alone', padding, { eos_token: '</s>' }, {}, ids['<pad>']],
    [
      'denied beside a padding section',
      padding,
      { eos_token: '</s>', pad_token: null },
      {},
      ids['</s>'],
    ],
    [
      'named in the settings',
      null,
      { eos_token: '</s>', pad_token: '<pad>' },
      { pad_token_id: ids.model },
      ids['<pad>'],
    ],
    [
      'that only the model has',
      null,
      {},
      { pad_token_id: ids.model, eos_token_id: ids['</s>'] },
      ids.model,
    ],
  ])('%s', async (_, section, settings, model, expected) => {
    const path = mkdtempSync(join(tmpdir(), 'pad-token-'));
    const files = {
      'tokenizer.json': { ...tokenizer, padding: section },
      'tokenizer_config.json': settings,
      'config.json': model,
    };
    for (const [name, json] of Object.entries(files))
      writeFileSync(join(path, name), JSON.stringify(json));
    expect((await loadTokenizer(path)).padId).toBe(expected);
  });
});

describe('special tokens', () => {
  it('are those of every file of the tokenizer and the model', async () => {
    const path = mkdtempSync(join(tmpdir(), 'special-tokens-'));
    const of = (name: string): string => join(path, name);
    copyFileSync(`${folder}/unigram/tokenizer.json`, of('tokenizer.json')); // <pad> </s> <unk>
    const added = { 9: { content: '▁', special: true }, 10: { content: 's', special: false } };
    const files = {
      'tokenizer_config.json': { eos_token: '</s>', added_tokens_decoder: added },
      'special_tokens_map.json': { additional_special_tokens: ['a', { content: 'e' }] },
      'config.json': { text_config: { bos_token_id: 21, eos_token_id: [22, 23] } },
      'generation_config.json': { decoder_start_token_id: 24, pad_token_id: null },
    };
    for (const [name, json] of Object.entries(files)) writeFileSync(of(name), JSON.stringify(json));
    const tokenizer = await loadTokenizer(path);
    const { vocab } = (
      JSON.parse(readFileSync(of('tokenizer.json'), 'utf8')) as {
        model: { vocab: [piece: string, score: number][] };
      }
    ).model;
    const [space, a, e] = ['▁', 'a', 'e'].map((text) => vocab.findIndex(([v]) => v === text));
    expect(tokenizer.specialIds).toEqual(new Set([0, 1, 2, space, a, e, 21, 22, 23, 24]));
    expect(tokenizer.bosId).toBe(21);
    expect(tokenizer.addsBos).toBe(false);
  });
});

describe('mutated tokenizer files', () => {
  const count = !full ? 200 : 10_000;

  it.each(['byte-level', 'sentencepiece', 'unigram'])(
    'of %s load or are refused, and end no process',
    async (name) => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [`${root}test/lm/mutated-tokenizers.mjs`, `${folder}/${name}`, '11', String(count)],
        { cwd: root },
      );
      const counts = JSON.parse(stdout) as {
        loaded: number;
        refused: number;
        other: string[];
        peakBytes: number;
      };
      expect(counts.other).toEqual([]);
      expect(counts.loaded + counts.refused).toBe(count);
      expect(Math.min(counts.loaded, counts.refused)).toBeGreaterThan(0);
      expect(counts.peakBytes).toBeLessThan(2 ** 30);
    },
  );
});
