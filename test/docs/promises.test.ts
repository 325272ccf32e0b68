/** Every promise names a test file that exists. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { root } from '../golden/load.js';

it('each promise has a test', () => {
  const rows = readFileSync(`${root}docs/reference/promises.md`, 'utf8')
    .split('\n')
    .filter((line) => /^\| (?!promise )/.test(line));
  expect(rows.length).toBeGreaterThan(10);
  const unheld = rows.filter((row) => {
    const tests = [
      ...row
        .split('|')
        .at(-2)!
        .matchAll(/`(test\/[^`]+\.test\.ts)`/g),
    ];
    return tests.length === 0 || tests.some(([, path]) => !existsSync(`${root}${path}`));
  });
  expect(unheld).toEqual([]);
});
