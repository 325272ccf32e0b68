/**
 * The documents say what is so: every relative link leads to a file and a heading, every path of
 * the repository that they name exists, every page is in the index, and the commands of the guides
 * run.
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { full } from '../full.js';

const root = resolve(import.meta.dirname, '../..');
const read = (page: string): string => readFileSync(join(root, page), 'utf8');

const pages = [
  ...['README.md', 'README.zh.md', 'CHANGELOG.md', 'checkpoints/README.md'],
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** Prose without the fenced blocks of code. */
const prose = (page: string): string => read(page).replaceAll(/^ *```[\s\S]*?^ *```/gm, '');

/** Fenced blocks of a language; `''` for those without one. */
const blocks = (page: string, language: string): string[] =>
  [...read(page).matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)]
    .filter((match) => match[1] === language)
    .map((match) => match[2]!);

/** Anchors of a page's headings, as GitHub makes them. */
function anchors(page: string): Set<string> {
  const found = new Map<string, number>();
  const names = new Set<string>();
  for (const [, heading] of prose(page).matchAll(/^#{1,6} +(.+)$/gm)) {
    const slug = heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}\s_-]/gu, '')
      .replaceAll(' ', '-');
    const before = found.get(slug) ?? 0;
    found.set(slug, before + 1);
    names.add(before === 0 ? slug : `${slug}-${before}`);
  }
  return names;
}

/** Targets of a page's links and pictures that stay within the repository. */
const links = (page: string): string[] =>
  [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1]!)
    .filter((target) => !/^[a-z]+:/.test(target));

/** The file a link leads to, from the root of the repository, and the heading in it. */
function destination(page: string, target: string): { file: string; anchor: string | undefined } {
  const [path, anchor] = target.split('#') as [string, string | undefined];
  return {
    file: path === '' ? page : relative(root, resolve(root, dirname(page), path)),
    anchor,
  };
}

describe('the documents', () => {
  it.each(pages)('%s: its links lead somewhere', (page) => {
    const broken = links(page).filter((target) => {
      const { file, anchor } = destination(page, target);
      if (!existsSync(join(root, file))) return true;
      return anchor !== undefined && !anchors(file).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  // The changelog names files as they were.
  it.each(pages.filter((page) => page !== 'CHANGELOG.md'))(
    '%s: the files it names exist',
    (page) => {
      const named = [
        ...prose(page).matchAll(/`((?:src|server|native|test|bench|deploy)\/[^`\s*…]+)`/g),
      ];
      expect(
        named.map((match) => match[1]!).filter((path) => !existsSync(join(root, path))),
      ).toEqual([]);
    },
  );

  it('are all in the index', () => {
    const reached = new Set(['README.md']);
    for (const page of reached) {
      for (const target of links(page)) {
        const { file } = destination(page, target);
        if (pages.includes(file) && statSync(join(root, file)).isFile()) reached.add(file);
      }
    }
    expect(pages.filter((page) => !reached.has(page))).toEqual([]);
  });
});

describe('the guides', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sae-eval-guides-'));
    symlinkSync(join(root, 'checkpoints'), join(folder, 'checkpoints'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    'docs/guide/own-sae.md',
    'docs/guide/published-sae.md',
    // A sweep of many runs takes its time.
    ...(full ? ['docs/guide/many-checkpoints.md'] : []),
  ])(
    '%s: its commands run as written and print what it shows',
    async (page) => {
      // Nothing is downloaded here.
      const script = blocks(page, 'sh')
        .filter((block) => !block.includes('hf download'))
        .join('\n')
        .replaceAll('npx sae-eval', `'${process.execPath}' '${root}/dist/src/cli/main.js'`);
      const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
        cwd: folder,
      });
      const shown = blocks(page, '').flatMap((block) => block.trimEnd().split('\n'));
      if (page !== 'docs/guide/many-checkpoints.md') expect(shown.length).toBeGreaterThan(5);
      const printed = new Set(stdout.split('\n'));
      expect(shown.filter((line) => !printed.has(line))).toEqual([]);
      expect(stdout).toMatch(/wrote runs\/\w+\/report\.html/);
    },
    300_000,
  );
});
