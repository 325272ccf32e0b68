/**
 * The width of lines: at most 100 characters, in everything that people read. The formatter keeps
 * to it where it can, but breaks neither strings nor comments.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const width = 100;
const root = resolve(import.meta.dirname, '../..');

/** Files that people write: code, pages, settings. JSON's strings cannot be broken. */
const written =
  /(\.(ts|mts|js|mjs|cjs|py|cc|h|css|html|md|service|sh)|(^|\/)(CMakeLists\.txt|Dockerfile|run))$/;
const generated = /^src\/torch\/generated\//;

/** Whether a line of a page may be longer: a row of a table, or a URL that cannot be broken. */
function mayBeLong(line: string): boolean {
  if (line.trimStart().startsWith('|')) return true;
  return line.split(/\s/).some((word) => word.includes('://') && word.length > width - 8);
}

it(`no line is longer than ${width} characters`, () => {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((path) => written.test(path) && !generated.test(path));
  expect(files.length).toBeGreaterThan(300);
  const long = files.flatMap((path) =>
    readFileSync(join(root, path), 'utf8')
      .split('\n')
      .flatMap((line, index) => {
        const { length } = [...line];
        if (length <= width || (path.endsWith('.md') && mayBeLong(line))) return [];
        return [`${path}:${index + 1} (${length})`];
      }),
  );
  expect(long).toEqual([]);
});
