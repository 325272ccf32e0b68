/** JSON as Python's json.loads reads it, against what it made of the same texts. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseJson } from '#src/data/python-json.js';

describe('JSON of Python', () => {
  it('is read or refused as by json.loads', () => {
    const cases = JSON.parse(
      readFileSync(new URL('../golden/text/json.json', import.meta.url), 'utf8'),
    ) as [string, [unknown] | null][];
    for (const [text, wanted] of cases) {
      let found: [unknown] | null;
      try {
        // As JSON, in which an infinity is null and −0 is 0.
        found = JSON.parse(JSON.stringify([parseJson(text)])) as [unknown];
      } catch {
        found = null;
      }
      expect([text, found]).toEqual([text, wanted]);
    }
  });

  it('takes time in proportion to a hostile line', () => {
    // In proportion to its square, millions of characters would take hours.
    const hostile = [`{"a": NaN, "b": "${'\\"'.repeat(2e6)}`, `NaN${'"'.repeat(4e6)}`];
    for (const text of hostile) expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});
