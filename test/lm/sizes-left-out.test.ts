/** Sizes that config.json leaves out, against what transformers takes (test/golden/config-keys). */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readModelConfig } from '#src/lm/index.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from './reference.js';

interface Case {
  model: string;
  without: string[];
  with?: Record<string, unknown>;
  value: number;
  groups?: number | null;
}

const golden = `${root}test/golden/`;
const cases = JSON.parse(readFileSync(`${golden}config-keys/sizes.json`, 'utf8')) as Case[];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sizes-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it.each(cases.map((one) => ({ ...one, lost: one.without[0]! })))(
  '$model without $lost has $value',
  async ({ model, without, with: changes = {}, value, groups }) => {
    const config = JSON.parse(readFileSync(`${golden}${model}/config.json`, 'utf8')) as object;
    const left = Object.entries({ ...config, ...changes }).filter(
      ([key]) => !without.includes(key),
    );
    writeFileSync(join(folder, 'config.json'), JSON.stringify(Object.fromEntries(left)));
    const read = await readModelConfig(folder);
    const isHeads = without.some((key) => key.includes('head'));
    expect(isHeads ? read.heads : read.maxPositions).toBe(value);
    if (groups !== undefined) expect(read.keyValueHeads).toBe(groups ?? read.heads);
  },
);
