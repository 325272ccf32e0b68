/**
 * Every Node and package manager installs the package and runs it (install-matrix.mjs): with
 * `SAE_EVAL_TEST_FULL=1` only, since it takes a quarter of an hour. Without Linux on x86-64 or
 * arm64 there is no Node of the registry to run.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { full } from '../full.js';

const root = resolve(import.meta.dirname, '../..');

it.runIf(full)(
  'installs, sets up and runs with every Node and package manager',
  () => {
    const script = join(import.meta.dirname, 'install-matrix.mjs');
    const run = spawnSync(process.execPath, [script], { encoding: 'utf8', stdio: 'pipe' });
    console.log(run.stdout, run.stderr);
    expect(run.stdout).toMatch(/^\d+ passed, 0 failed/m);
    expect(run.status).toBe(0);
  },
  3_600_000,
);

it('the kept log has rows of Node 20, 22 and 24 and of every kind of manager', () => {
  const page = readFileSync(join(root, 'docs/internals/installs.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (\d+)\.\S+ \| (npm \d+|pnpm|yarn \d+)/gm)];
  expect(new Set(rows.map(([, node]) => node))).toEqual(new Set(['20', '22', '24']));
  expect(new Set(rows.map(([, , manager]) => manager))).toEqual(
    new Set(['npm 10', 'npm 11', 'npm 12', 'pnpm', 'yarn 1', 'yarn 4']),
  );
});

it.runIf(full)('types of every entry check in a strict project that has the types of Node', () => {
  const args = ['-p', join(root, 'test/package/types/tsconfig.json')];
  execFileSync(join(root, 'node_modules/.bin/tsc'), args, { stdio: 'inherit' });
});
