/**
 * YAML configurations of SAEs, changed at random, and made to do harm: a description or one coded
 * error, within bounded time.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SaeEvalError } from '#src/errors.js';
import { describeSAE } from '#src/sae/load.js';
import { root } from '../golden/load.js';
import { randomBits } from './checkpoint-mutations.js';
import { full } from '../full.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Folder of an SAE, its configuration, and a file of its weights if the folder holds several. */
const saes: [name: string, folder: string, config: string, weights?: string][] = [
  ['temporal', 'test/sae/formats/fixtures/temporal/layer_12/temporal', 'conf.yaml'],
  [
    'circuit-tracer',
    'test/golden/transcoders/circuit-tracer',
    'config.yaml',
    'layer_3.safetensors',
  ],
  ['cross-layer', 'test/golden/transcoders/clt', 'config.yaml'],
];

const pieces = [
  '&a ',
  '*a',
  '<<: *a\n',
  '!!python/object:os.system ',
  '!x ',
  '? ',
  '- ',
  '[',
  ']',
  '{',
  '}',
  ': ',
  '|\n',
  '>\n',
  '---\n',
  '...\n',
  '%TAG ! x\n',
  '"',
  "'",
  '#',
  '\t',
  '\0',
  '\r',
  '1e999',
  '-1',
  '.nan',
  '~',
  '0x7fffffffffffffff',
  '__proto__: {polluted: 1}\n',
  'n_heads: 0\n',
];

function mutated(text: string, random: () => number): string {
  const below = (n: number): number => random() % n;
  let result = text;
  for (let change = 1 + below(3); change > 0; change--) {
    const at = below(result.length + 1);
    const length = below(10);
    const cut = result.slice(at, at + length);
    const insert = [pieces[below(pieces.length)]!, '', cut + cut][below(3)]!;
    result = result.slice(0, at) + insert + result.slice(at + length);
  }
  return result;
}

const rounds = !full ? 60 : 5000;

/** Nine levels of nine aliases: 387 million texts when they are followed. */
const laughs = ['a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]']
  .concat(
    [...'bcdefghi'].map(
      (name, at) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[at]!}`).join(', ')}]`,
    ),
  )
  .join('\n');

describe.each(saes)('%s', (name, path, config, weights) => {
  let copy: string;
  let text: string;
  beforeAll(() => {
    copy = join(folder, name);
    cpSync(`${root}${path}`, copy, { recursive: true });
    text = readFileSync(join(copy, config), 'utf8');
  });
  const described = (changed: string): Promise<unknown> => {
    writeFileSync(join(copy, config), changed);
    return describeSAE(weights === undefined ? copy : join(copy, weights)).catch(
      (error: unknown) => error,
    );
  };

  it('as it is', async () => expect(await described(text)).toMatchObject({ notes: [] }));

  it(`${rounds} mutations`, async () => {
    const random = randomBits(11);
    let refused = 0;
    for (let round = 0; round < rounds; round++) {
      const found = await described(mutated(text, random));
      if (!(found instanceof Error)) continue;
      refused += 1;
      if (!(found instanceof SaeEvalError) || found.code === 'internal')
        expect.fail(`round ${round}: ${found.stack ?? found.message}`);
    }
    expect(refused).toBeGreaterThan(0);
    expect(({} as Record<string, unknown>)['polluted']).toBe(undefined);
  }, 900_000);

  it.each<[string, string]>([
    ['aliases of aliases', laughs],
    ['a list in itself', 'llm: &a [*a]\nmodel_name: x'],
    ['a merge of itself', 'llm: &a\n  <<: *a\n'],
    ['keys too deep to parse', '? '.repeat(8000)],
    ['lists too deep to parse', '['.repeat(8000)],
    ['a tag of Python', '!!python/object/apply:os.system [echo]'],
    ['several documents', 'a: 1\n---\na: 2\n'],
    ['half a megabyte', `a: ${'x'.repeat(2 ** 19)}`],
  ])('%s', async (_, bomb) => {
    expect(await described(bomb)).toMatchObject({
      code: 'checkpoint-format',
      message: expect.stringContaining(config),
    });
  });
});
