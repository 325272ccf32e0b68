/** Words and chunks of texts against Python's `str.split()`. */
import { readFileSync } from 'node:fs';
import { chunk, words } from '#src/data/chunks.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { full } from '../full.js';

interface Golden {
  white: number[];
  plane: number;
  planeWords: string[];
  splits: [string, string[]][];
}

const golden = JSON.parse(
  readFileSync(new URL('../golden/text/splits.json', import.meta.url), 'utf8'),
) as Golden;

describe('words', () => {
  it('splits as Python does', () => {
    for (const [text, expected] of golden.splits) expect([...words(text)]).toEqual(expected);
  });

  it('takes the same characters for white space, and no others', () => {
    const plane = Array.from({ length: golden.plane }, (_, code) => String.fromCharCode(code)).join(
      '',
    );
    expect([...words(plane)]).toEqual(golden.planeWords);
    expect(golden.white.every((code) => code < golden.plane)).toBe(true);
  });
});

describe('chunk', () => {
  const text = fc
    .array(fc.constantFrom('a', 'bc', '中', '🙂', ' ', '\n', '\u3000', '\ufeff', '\u0085'), {
      maxLength: 60,
    })
    .map((parts) => parts.join(''));

  it('keeps every word once, in order, in pieces of the size asked for', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 9 }), (value, size) => {
        const pieces = [...chunk(value, size)].map((piece) => piece.split(' '));
        expect(pieces.flat()).toEqual([...words(value)]);
        pieces.forEach((piece, index) => {
          if (index < pieces.length - 1) expect(piece).toHaveLength(size);
          else expect(piece.length).toBeLessThanOrEqual(size);
        });
        expect(pieces.every((piece) => piece.length > 0)).toBe(true);
      }),
      { seed: 5, numRuns: !full ? 500 : 20_000 },
    );
  });
});
