/** Files that a broken download leaves in place of weights and configurations. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readConfig } from '#src/checkpoint/json-file.js';
import { mistakenContent, mistakenFile } from '#src/checkpoint/mistaken-file.js';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { checkTokenizerFile } from '#src/lm/tokenizer-file.js';

const lfs =
  'version https://git-lfs.github.com/spec/v1\n' +
  `oid sha256:${'0123456789abcdef'.repeat(4)}\nsize 2147483648\n`;

const mistakes: readonly [string, string, RegExp][] = [
  ['a Git LFS pointer', lfs, /Git LFS pointer.*2147483648 bytes.*git lfs pull/],
  ['one with Windows line ends', lfs.replaceAll('\n', '\r\n'), /Git LFS.*2147483648/],
  ['one with an extension', lfs.replace('oid', 'ext-0-foo sha256:ab\noid'), /Git LFS.*2147483648/],
  ['one of the first days', lfs.replace('git-lfs', 'hawser'), /Git LFS pointer/],
  ['one cut short', lfs.slice(0, 44), /Git LFS pointer: the real file was not fetched/],
  ['a git-xet pointer', '# xet version 0\nfilesize = 5\n', /git-xet pointer/],
  ['a git-annex pointer', '/annex/objects/SHA256E-s5--ab.pt\n', /git annex get/],
  ['an HTML page', '<!DOCTYPE html><html><body>Sign in</body></html>', /HTML page.*download/],
  ['one after a BOM and blank lines', '\ufeff\r\n\n<!doctype HTML>\n<html>', /HTML page/],
  ['one in XHTML', '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-">', /HTML page/],
  ['one after a comment', '<!-- saved from url -->\n<html lang="en">', /HTML page/],
  [
    'a storage server’s error',
    '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    /error message \(AccessDenied\)/,
  ],
  ['a hub’s error', 'Entry not found', /server’s error message/],
  ['a hub’s error about a gated model', 'Access to model a/b is restricted.', /needs a login/],
];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(mistakes)('%s', (_, content, says) => {
  it.each(['sae.pt', 'model.safetensors', 'params.npz'])('as %s', async (name) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    const error = await readCheckpoint(path).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'checkpoint-format',
      message: expect.stringMatching(says),
    });
    expect(mistakenFile(path)).toMatch(says);
  });

  it('as a configuration and as a tokenizer', () => {
    const path = join(folder, 'cfg.json');
    writeFileSync(path, content);
    expect(() => readConfig(path, z.object({}))).toThrow(says);
    expect(() => checkTokenizerFile(content, path)).toThrow(says);
  });
});

it.each([
  ['a text about it', 'The version https://git-lfs.github.com/spec/v1 of the pointer'],
  ['a note with one in it', `A pointer looks so:\n${lfs}`],
  ['JSON', '{"html": "<html>"}'],
  ['words', 'Not foundations but walls'],
  ['nothing', ''],
])('%s is no mistake', (_, content) => {
  expect(mistakenContent(content)).toBeNull();
  expect(mistakenContent(Buffer.from(content))).toBeNull();
});

it('weights that are whole are no mistake; nor is a file that is not there', () => {
  expect(mistakenFile('checkpoints/TopK_tiny.pt')).toBeNull();
  expect(mistakenFile(join(folder, 'none'))).toBeNull();
});
