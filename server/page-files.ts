/**
 * Files of the page by their addresses: those in server/page, the libraries that they import from
 * node_modules, and modules of the package that run in browsers.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../src/torch/setup/paths.js';

export const pageFolder = join(packageRoot, 'server', 'page');
const compiled = join(packageRoot, 'dist', 'src');

/** Media types of the page's files; others are not served. */
export const mediaTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Modules of the package that the page imports, by path in `src`; what they import comes along. */
const entries = [
  'client/index.js',
  'schema/status.js',
  'shown-text.js',
  'metrics/peers/fields.js',
  'report/best.js',
  'report/sweep-setting.js',
  'report/comparable.js',
  'report/charts/colors.js',
  'report/charts/draw.js',
];

/** The file beside a package's main module. */
function besideMain(name: string, file: string): string {
  return join(dirname(fileURLToPath(import.meta.resolve(name))), file);
}

/**
 * Libraries by their names under `/page/library/`. Those that modules name stand in the import map
 * of the page; the two of charts are loaded as scripts, once a chart is shown.
 */
function libraries(): ReadonlyMap<string, string> {
  return new Map([
    ['preact.js', fileURLToPath(import.meta.resolve('preact'))],
    ['preact-hooks.js', fileURLToPath(import.meta.resolve('preact/hooks'))],
    ['htm.js', fileURLToPath(import.meta.resolve('htm'))],
    ['htm-preact.js', fileURLToPath(import.meta.resolve('htm/preact'))],
    ['eventsource-parser.js', fileURLToPath(import.meta.resolve('eventsource-parser'))],
    ['d3.js', besideMain('d3', 'd3.min.js')],
    ['plot.js', besideMain('@observablehq/plot', '../dist/plot.umd.min.js')],
  ]);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extname(entry.name) in mediaTypes)
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

/** Relative modules that a compiled module imports. */
function importsOf(source: string): string[] {
  return [...source.matchAll(/^(?:import|export)\b[^;]*?from\s*['"](\.[^'"]+)['"]/gm)].map(
    ([, name]) => name!,
  );
}

/** The entries and every module that they import, by path in `src`. */
function modules(): string[] {
  const found = new Set(entries.filter((name) => existsSync(join(compiled, name))));
  for (const name of found) {
    const source = readFileSync(join(compiled, name), 'utf8');
    for (const other of importsOf(source)) found.add(posix.join(posix.dirname(name), other));
  }
  return [...found];
}

/** Addresses of everything the page consists of but its shell, and their files. */
export function pageFiles(): ReadonlyMap<string, string> {
  return new Map([
    ...filesBelow(pageFolder).map((name): [string, string] => [
      `/page/${name}`,
      join(pageFolder, name),
    ]),
    ...modules().map((name): [string, string] => [`/page/src/${name}`, join(compiled, name)]),
    ...[...libraries()].map(([name, file]): [string, string] => [`/page/library/${name}`, file]),
  ]);
}

/**
 * The shell: index.html, which asks for all modules at once. Their addresses are relative, since a
 * proxy may serve the page under a path of its own.
 */
export function pageShell(files: ReadonlyMap<string, string>): string {
  const shell = readFileSync(join(pageFolder, 'index.html'), 'utf8');
  const later = /^\/page\/(?:library\/(?:d3|plot)|charts\/)/;
  const links = [...files.keys()]
    .filter((address) => address.endsWith('.js') && !later.test(address))
    .map((address) => `    <link rel="modulepreload" href="${address.slice(1)}" />\n`);
  return shell.replace('  </head>', `${links.join('')}  </head>`);
}

/** The import map of a shell as a content security policy source. */
export function importMapSource(shell: string): string {
  const map = /<script type="importmap">([^]*?)<\/script>/.exec(shell)?.[1] ?? '';
  return `'sha256-${createHash('sha256').update(map).digest('base64')}'`;
}
