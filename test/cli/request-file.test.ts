/** Requests as people write them: JSON and YAML, and where a faulty one is faulty. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonFault } from '#src/json-fault.js';
import { parseRequestText, readRequest } from '#src/cli/request-file.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-request-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('JSON', () => {
  it.each([
    ['{"a": 1,\n}', 'r, line 2, column 1: not JSON: expected a name in double quotes, found };'],
    [
      '{"a": [1,\n ]}',
      'r, line 2, column 2: not JSON: expected a value, found ]; the comma before',
    ],
    ['{"a": 1 "b": 2}', 'column 9: not JSON: expected , or }, found "b"; probably a comma is'],
    ["{'a': 1}", "column 2: not JSON: expected a name in double quotes or }, found '; strings"],
    ['{"a": 1', 'column 8: not JSON: expected , or }, found the end of the file'],
    ['{"a": 1}}', 'column 9: not JSON: expected the end of the file, found }'],
    ['{"a": True}', 'expected a value, found True; JSON has true, false and null'],
    ['{"a": 1, // one\n "b": 2}', 'JSON has no comments'],
    ['{"a": "x\n"}', 'expected a value, found a string without its end'],
    ['{"a": 01}', 'expected a value, found 01'],
    ['', 'r: expected a request, found nothing'],
  ])('says where %j is wrong', (text, message) =>
    expect(() => parseRequestText(text, { name: 'r', format: 'json' })).toThrow(message),
  );

  it('finds a fault in exactly the texts that are not JSON', () => {
    const isJson = (text: string): boolean => {
      try {
        JSON.parse(text);
        return true;
      } catch {
        return false;
      }
    };
    const value = fc.json({ maxDepth: 3 });
    const damaged = fc
      .tuple(
        value,
        fc.nat(),
        fc.constantFrom('', ',', '}', ']', ':', '"', '1', '-', 'e', '\\', ' '),
      )
      .map(([text, at, by]) => {
        const index = at % (text.length + 1);
        return text.slice(0, index) + by + text.slice(index + (at % 2));
      });
    fc.assert(
      fc.property(fc.oneof(value, damaged), (text) => (jsonFault(text) === null) === isJson(text)),
      { numRuns: 1000, seed: 7 },
    );
  });
});

describe('YAML', () => {
  it('is read with anchors and merged maps', () => {
    const text =
      'model: m # the model\nsaes:\n  - &sae { kind: TopK, k: 16 }\n  - { <<: *sae, k: 32 }\n';
    expect(parseRequestText(text, { name: 'r' })).toEqual({
      model: 'm',
      saes: [
        { kind: 'TopK', k: 16 },
        { kind: 'TopK', k: 32 },
      ],
    });
  });

  it.each([
    ['a: 1\nb: [1\n', /^r, line 3, column 1: not YAML: /],
    ['a: 1\na: 2\n', /^r, line 2, column 1: not YAML: .*unique/],
    ['a: !!js/function "x"\n', /^r, line 1, column 4: not YAML: Unresolved tag/],
    ['a: 1\n---\nb: 2\n', /^r, line 2, column 1: not YAML: .*multiple documents/],
    [
      `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefghi'
        .split('')
        .map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(', ')}]`)
        .join('\n')}`,
      /^r: not YAML: Excessive alias count/,
    ],
  ])('is refused as %j', (text, message) =>
    expect(() => parseRequestText(text, { name: 'r', format: 'yaml' })).toThrow(message),
  );
});

describe('a file', () => {
  it('is read by its ending, else by how it begins', async () => {
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    expect(await readRequest(write('a.json', '\uFEFF{"a": 1}'))).toEqual({ a: 1 });
    expect(await readRequest(write('a.yml', 'a: 1'))).toEqual({ a: 1 });
    expect(await readRequest(write('request', ' {"a": 1}'))).toEqual({ a: 1 });
    expect(await readRequest(write('other', 'a: 1'))).toEqual({ a: 1 });
    await expect(readRequest(write('b.json', 'a: 1'))).rejects.toThrow('b.json, line 1, column 1');
    await expect(readRequest(join(folder, 'a.yaml'))).rejects.toThrow(
      `there is no such file; did you mean ${join(folder, 'a.yml')}?`,
    );
    await expect(readRequest(folder)).rejects.toMatchObject({ code: 'file-unreadable' });
  });
});
