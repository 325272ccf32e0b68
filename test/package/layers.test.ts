/**
 * The layers: the linter refuses an import that goes the wrong way, the server imports no reader of
 * checkpoints, and the client nothing of Node.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { ESLint } from 'eslint';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

/**
 * Messages of the import and file name rules for a file that need not exist; type-aware rules would
 * need it to.
 */
async function lint(filePath: string, code: string): Promise<string[]> {
  const eslint = new ESLint({
    cwd: root,
    overrideConfig: [{ languageOptions: { parserOptions: { projectService: false } } }],
    ruleFilter: ({ ruleId }) =>
      [
        'boundaries/dependencies',
        'boundaries/no-unknown-files',
        'no-restricted-imports',
        '@typescript-eslint/no-restricted-imports',
        'project/file-name',
        'no-restricted-syntax',
      ].includes(ruleId),
  });
  const [result] = await eslint.lintText(code, { filePath: join(root, filePath) });
  return (result?.messages ?? []).map(({ message }) => message);
}

describe('the linter', () => {
  it.each([
    ['src/torch/example.ts', "import '../sae/index.js';", 'torch may not import sae'],
    ['src/client/example.ts', "import '../torch/index.js';", 'client may not import torch'],
    ['src/metrics/example.ts', "import '../torch/index.js';", 'metrics may not import torch'],
    [
      'src/client/example.ts',
      "import type { Request } from '../evaluation/request/resolve.js';",
      'client may not import evaluation',
    ],
    ['src/client/example.ts', "export * from '../sae/index.js';", 'client may not import sae'],
    [
      'src/report/example.ts',
      "const later = () => import('../evaluation/request/resolve.js');",
      'report may not import evaluation',
    ],
    [
      'src/schema/example.ts',
      "import '../evaluation/request/resolve.js';",
      'schema may not import evaluation',
    ],
    ['src/cli/example.ts', "import '../../server/app.js';", 'cli may not import server'],
    ['server/example.ts', "import '../src/torch/index.js';", 'server may not import torch'],
    ['src/example.ts', 'export {};', 'does not match any file pattern'],
    ['src/client/example.ts', "import 'node:fs';", 'runs in browsers'],
    ['src/data/example.ts', "import { open } from 'node:fs/promises';", 'opened by src/files/'],
    ['src/sae/formats/example.ts', "import 'node:fs';", 'opened by src/files/'],
    ['src/evaluation/run/example.ts', "import 'node:fs';", 'opened by src/files/'],
    ['src/client/utils.ts', 'export {};', 'Name the file after the idea'],
    ['src/sae/example.ts', 'export default 1;', 'Export by name'],
  ])('refuses in %s: %s', async (file, code, message) => {
    expect((await lint(file, code)).join('\n')).toContain(message);
  });

  it.each([
    ['src/client/example.ts', "import '../schema/index.js'; import '../errors.js'; import 'zod';"],
    ['src/sae/example.ts', "import '../torch/index.js'; import { join } from 'node:path';"],
    ['src/metrics/example.ts', "import type { Tensor } from '../torch/index.js';"],
    ['src/evaluation/example.ts', "import '../sae/index.js'; import '../schema/index.js';"],
  ])('accepts in %s: %s', async (file, code) => {
    expect(await lint(file, code)).toEqual([]);
  });
});

/** Files of dist/ and packages that `entry` imports, through others and later on too. */
function importedBy(entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  if (!entry.startsWith('/')) return seen;
  const follow = (name: string): void =>
    void importedBy(name.startsWith('.') ? resolve(dirname(entry), name) : name, seen);
  const visit = (node: ts.Node): void => {
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier !== undefined &&
      ts.isStringLiteral(node.moduleSpecifier)
    )
      follow(node.moduleSpecifier.text);
    if (
      ts.isCallExpression(node) &&
      node.expression.kind === ts.SyntaxKind.ImportKeyword &&
      ts.isStringLiteral(node.arguments[0]!)
    )
      follow(node.arguments[0].text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(entry, readFileSync(entry, 'utf8'), ts.ScriptTarget.Latest));
  return seen;
}

describe('what the built files import', () => {
  const dist = join(root, 'dist');
  const files = (entry: string): string[] =>
    [...importedBy(join(dist, entry))].map((file) => relative(dist, file));

  it('is no reader of checkpoints in the server: its children parse what users send', () => {
    // It may tell a pointer or a page by the first bytes of a file; it parses nothing.
    const readers = /^src\/checkpoint\/(?!mistaken-file|file-bytes)/;
    expect(files('server/main.js').filter((file) => readers.test(file))).toEqual([]);
    // The search finds readers where they are imported.
    expect(files('src/inspect/inspect-child.js').some((file) => readers.test(file))).toBe(true);
  });

  it('is nothing of Node in the client', () => {
    const packages = [...importedBy(join(dist, 'src/client/index.js'))].filter(
      (file) => !file.startsWith('/'),
    );
    const inBrowsers = ['zod', 'eventsource-parser'];
    expect(packages.filter((name) => !inBrowsers.includes(name))).toEqual([]);
  });
});
