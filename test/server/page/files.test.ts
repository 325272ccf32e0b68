/** The files of the page: everything that they import is served, and nothing of Node is. */
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importMapSource, pageFiles, pageShell } from '#server/page-files.js';

const files = pageFiles();
const shell = pageShell(files);
const map = JSON.parse(/<script type="importmap">([^]*?)<\/script>/.exec(shell)![1]!) as {
  imports: Record<string, string>;
};

/** What a module imports, minified or not. */
function namedIn(source: string): string[] {
  const statement = /^(?:import|export)\s(?:[^'"]*?\sfrom\s)?'([^']+)';?$|\bfrom"([^"]+)"/gm;
  const dynamic = /\bimport\('([^']+)'\)/g;
  return [...source.matchAll(statement), ...source.matchAll(dynamic)].map(
    ([, name, minified]) => (name ?? minified)!,
  );
}

/** Address of what a module names. */
function addressOf(name: string, from: string): string {
  if (name.startsWith('.')) return posix.join(posix.dirname(from), name);
  return posix.join('/', map.imports[name] ?? `not in the import map: ${name}`);
}

describe('files of the page', () => {
  it('import only what is served', () => {
    const missing = [...files]
      .filter(([address]) => address.endsWith('.js') && !/library\/(?:d3|plot)/.test(address))
      .flatMap(([address, file]) =>
        namedIn(readFileSync(file, 'utf8')).map(
          (name) => `${address}: ${addressOf(name, address)}`,
        ),
      )
      .filter((line) => !files.has(line.split(': ')[1]!));
    expect(missing).toEqual([]);
    const app = namedIn(readFileSync(files.get('/page/app.js')!, 'utf8'));
    expect(app).toEqual(expect.arrayContaining(['preact', 'htm/preact', './list/list.js']));
    expect(files.has('/page/src/report/charts/draw.js')).toBe(true);
  });

  it('are named by relative addresses alone, so that a proxy may move them', () => {
    const addresses = [...shell.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, address]) => address!);
    expect(addresses.filter((address) => /^(?:\/|[a-z]+:)/.test(address))).toEqual([]);
    for (const address of addresses.filter((one) => one.startsWith('page/')))
      expect(files.has(`/${address}`)).toBe(true);
    expect(Object.values(map.imports).every((address) => address.startsWith('./page/'))).toBe(true);
  });

  it('have one script of their own in the shell, which the policy allows by its hash', () => {
    const inline = [...shell.matchAll(/<script(?![^>]*\bsrc=)[^>]*>/g)].map(([tag]) => tag);
    expect(inline).toEqual(['<script type="importmap">']);
    expect(importMapSource(shell)).toMatch(/^'sha256-[\w+/]{43}='$/);
  });
});
