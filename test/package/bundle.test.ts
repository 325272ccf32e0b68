/** Bundles of what processes start from: that they are taken, and when they are not. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { entryFile } from '#src/entry.js';
import { root } from '../golden/load.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-bundle-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('what a process starts from', () => {
  it('is its bundle once the project is built', () => {
    const started = ['src', 'server'].flatMap((part) =>
      readdirSync(join(root, part), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .flatMap((file) => [
          ...readFileSync(join(root, part, file), 'utf8').matchAll(
            /\bentry(?:File|Url)\('(.+?)'\)/g,
          ),
        ])
        .map(([, module]) => module!),
    );
    expect(started).toContain('src/compute/child.js');
    expect(started.length).toBeGreaterThan(8);
    for (const module of started) {
      expect(existsSync(join(root, 'dist', module)), module).toBe(true);
      expect(entryFile(module)).toBe(
        join(root, 'dist/bundle', module.split('/').slice(-2).join('/')),
      );
    }
  });

  it('is not written again while nothing has changed: npm builds before it packs', () => {
    const writtenAt = (): number[] =>
      readdirSync(join(root, 'dist/bundle'), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.js'))
        .map((file) => statSync(join(root, 'dist/bundle', file)).mtimeMs);
    const before = writtenAt();
    expect(before.length).toBeGreaterThan(20);
    execFileSync(process.execPath, [join(root, 'bundle.mjs')]);
    expect(writtenAt()).toEqual(before);
  });

  it('is the module itself if something was compiled since, or if there is no bundle', async () => {
    for (const file of ['src/entry.js', 'src/compute/child.js', 'bundle/compute/child.js'])
      cpSync(join(root, 'dist', file), join(folder, file));
    writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
    const copy = (await import(pathToFileURL(join(folder, 'src/entry.js')).href)) as {
      entryFile: typeof entryFile;
    };
    const found = (): string => copy.entryFile('src/compute/child.js');
    const module = join(folder, 'src/compute/child.js');
    const bundle = join(folder, 'bundle/compute/child.js');
    // A package has no record of compilation.
    expect(found()).toBe(bundle);
    writeFileSync(join(folder, '.tsbuildinfo'), '');
    utimesSync(bundle, 1000, 1000);
    expect(found()).toBe(module);
    rmSync(bundle);
    expect(found()).toBe(module);
  });
});
