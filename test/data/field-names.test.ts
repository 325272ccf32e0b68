/** The field of the text, checked before anything is computed. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { checkField } from '#src/data/index.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-fields-'));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string): string => {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const lines = (...records: object[]): string =>
  records.map((one) => JSON.stringify(one)).join('\n');

it('names the fields that are there, and the one that was meant', async () => {
  const path = write('a.jsonl', lines({ text: 'x', meta: { lang: 'en' } }, { id: 1 }));
  await expect(checkField(path, { textField: 'content' })).rejects.toMatchObject({
    code: 'dataset-invalid',
    message: 'the records have no field `content`; they have `text`, `meta`, `id`',
    fields: [{ path: 'textField' }],
  });
  await expect(checkField(path, { textField: 'Text' })).rejects.toThrow('; did you mean text?');
  await expect(checkField(path, { textField: 'text', tokensField: 'ids' })).rejects.toMatchObject({
    fields: [{ path: 'tokensField' }],
  });
});

it('takes a field that some record of some file has', async () => {
  await checkField(write('b.jsonl', lines({ id: 1 }, { id: 2, text: 'x' })), { textField: 'text' });
  await checkField(write('c.json', '[{ "doc": { "body": "x" } }]'), { textField: 'doc.body' });
  await checkField(write('d.json', '["one", "two"]'), { textField: 'any' });
  await checkField(write('e.txt', 'words'), { textField: 'any' });
  write('f/1.jsonl', lines({ id: 1 }));
  write('f/2.jsonl', lines({ id: 1, text: null }));
  await checkField(join(folder, 'f'), { textField: 'text' });
});

it('leaves files without a record to the run, which says what they lack', async () => {
  await checkField(write('g.jsonl', 'no json\n[1]\n'), { textField: 'text' });
});
