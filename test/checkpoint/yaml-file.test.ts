/** YAML configurations: what they hold, and files that were made to do harm. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readYamlConfig, readYamlFile } from '#src/checkpoint/yaml-file.js';

let path: string;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
  path = join(folder, 'config.yaml');
});
afterAll(() => rmSync(folder, { recursive: true }));

const read = (text: string): unknown => {
  writeFileSync(path, text);
  return readYamlFile(path, { code: 'checkpoint-format' });
};

describe('plain values', () => {
  it.each<[string, unknown]>([
    [
      'model_name: "google/gemma-2-2b"\nfeature_input_hook: "mlp.hook_in"\nlayers: [0, 1]\n',
      { model_name: 'google/gemma-2-2b', feature_input_hook: 'mlp.hook_in', layers: [0, 1] },
    ],
    ['a: &x {k: 3}\nb: *x\n', { a: { k: 3 }, b: { k: 3 } }],
    ['lr: 1e-5\non: yes\nnone: ~\nflag: true\n', { lr: 1e-5, on: 'yes', none: null, flag: true }],
    ['\ufeffa: 1\r\nb: |\r\n  two\r\n', { a: 1, b: 'two\n' }],
    ['{"a": [1, 2.5], "b": null}', { a: [1, 2.5], b: null }],
    ['', null],
    ['constructor: 1\ntoString: 2\n', { constructor: 1, toString: 2 }],
  ])('%j', (text, value) => {
    expect(read(text)).toEqual(value);
  });

  it('fit a schema or say which does not', () => {
    writeFileSync(path, 'd: 3\n');
    expect(readYamlConfig(path, z.looseObject({ d: z.number() }))).toEqual({ d: 3 });
    expect(() => readYamlConfig(path, z.looseObject({ d: z.string() }))).toThrow(
      /config\.yaml: d:/,
    );
    expect(() => readYamlConfig(join(folder, 'none.yaml'), z.any())).toThrow(/no such file/);
    expect(readYamlFile(join(folder, 'none.yaml'), { code: 'checkpoint-format' })).toBe(undefined);
  });
});

/** Nine levels of nine aliases: 387 million texts when they are followed. */
const laughs = ['a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]']
  .concat(
    [...'bcdefghi'].map((name, at) => `${name}: &${name} [${`*${'abcdefgh'[at]!}, `.repeat(9)}]`),
  )
  .join('\n');

describe('files made to do harm', () => {
  it.each<[string, string, RegExp]>([
    ['aliases of aliases', laughs, /alias/i],
    ['many aliases of one', `a: &a 1\nb: [${'*a, '.repeat(5000)}]`, /alias/i],
    ['a list in itself', 'a: &a [1, *a]', /one in itself/],
    ['a mapping in itself', 'a: &a {b: *a, c: *a}', /one in itself|alias/],
    ['a deep list', `a: ${'['.repeat(300)}${']'.repeat(300)}`, /levels deep/],
    ['a list too deep to parse', '['.repeat(8000), /levels deep/],
    ['keys too deep to parse', '? '.repeat(8000), /levels deep/],
    [
      'an indentation too deep',
      Array.from({ length: 200 }, (_, n) => `${' '.repeat(n)}k:`).join('\n'),
      /deep/,
    ],
    ['a tag of Python', 'a: !!python/object/apply:os.system [echo]', /line 1, column 4.*tag/i],
    ['a tag of its own', 'a: !run x', /tag/i],
    ['a binary', 'a: !!binary aGk=', /tag/i],
    ['a set', 'a: !!set {x}', /tag/i],
    ['a merge key', 'x: &a {q: 1}\ny:\n  <<: *a\n', /line 3, column 3.*merge key/],
    ['a repeated key', 'k: 1\nk: 2\n', /unique/],
    ['a key that is a list', '? [a, b]\n: 1\n', /a key that is/],
    ['a key that is an alias', 'a: &x b\n*x : 1\n', /a key that is/],
    ['an alias of nothing', 'a: *b', /alias/i],
    ['two documents', 'a: 1\n---\nb: 2\n', /multiple documents/],
    ['zero bytes', 'a: \0\0\0\nb\0', /config\.yaml/],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\nsize 12\n', /git lfs pull/],
    ['too many bytes', `a: ${'x'.repeat(2 ** 17)}`, /at most 0\.125 MiB, found 131075/],
  ])('%s', (_, text, says) => {
    let thrown: unknown;
    try {
      read(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      code: 'checkpoint-format',
      message: expect.stringMatching(says),
    });
  });

  it('cannot reach the prototype of other objects', () => {
    read('__proto__: {polluted: true}\nconstructor: {prototype: {polluted: true}}\n');
    expect(({} as Record<string, unknown>)['polluted']).toBe(undefined);
  });
});
