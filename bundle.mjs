/**
 * Bundles what a process of sae-eval imports at its start: Node takes about a millisecond for each
 * module, and there are hundreds, 90 of them zod's. src/entry.ts finds the bundle of a module.
 */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const dist = fileURLToPath(new URL('dist/', import.meta.url));
/** Modules to start from; each bundle lies in a folder below dist/bundle, as chunks do. */
const entries = [
  'src/cli/run',
  'src/compute/child',
  'src/data/parquet-worker',
  'src/data/chat/render-worker',
  'src/evaluation/run/companion-thread',
  'src/inspect/inspect-child',
  'server/result-reader-child',
  'server/shards/run-tasks-child',
  'server/start',
];

/** A module finds files beside itself by its own address, wherever its text went. */
const ownAddress = {
  name: 'own-address',
  transform(code, id) {
    if (!id.startsWith(dist) || !/\bimport\.meta\.url\b/.test(code)) return null;
    const own = `new URL('../../${relative(dist, id)}', import.meta.url).href`;
    return code.replaceAll(/\bimport\.meta\.url\b/g, own);
  },
};

/** Written last: where it is newer than all that bundles are made of, they are whole and new. */
const license = `${dist}bundle/LICENSE-zod`;
const root = fileURLToPath(new URL('.', import.meta.url));
const writtenAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
const madeOf = [
  `${dist}.tsbuildinfo`,
  `${root}bundle.mjs`,
  `${root}node_modules/.package-lock.json`,
];

// Processes may be starting from bundles that are there: npm builds before it packs, as checks do
// beside the tests.
if (existsSync(license) && writtenAt(license) > Math.max(...madeOf.map(writtenAt))) process.exit();

await build({
  input: Object.fromEntries(
    entries.map((entry) => [entry.split('/').slice(-2).join('/'), `${dist}${entry}.js`]),
  ),
  platform: 'node',
  external: (id) => !/^[./]/.test(id) && !/^zod(?:$|\/)/.test(id),
  plugins: [ownAddress],
  output: {
    dir: `${dist}bundle`,
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    keepNames: true,
    cleanDir: true,
  },
});

// The bundles hold a copy of zod, which its license lets go with its text.
writeFileSync(license, readFileSync(`${root}node_modules/zod/LICENSE`));
