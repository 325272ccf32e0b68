/**
 * `npm run gpu-check -- --pack FOLDER`: what a clone lacks on a machine without Node.js and
 * network, as two archives: `node.xz`, Node.js itself, and `rest.tar.xz`, the built code and the
 * packages that it imports. gpu-check.sh unpacks them there.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Packages that an evaluation imports or the addon is built with; not those of the server. */
const imported = [
  ...['zod', 'tokenizers', 'hyparquet', 'hyparquet-compressors', 'fzstd', 'yauzl'],
  ...['@opentelemetry/api', 'node-addon-api', 'node-api-headers'],
];

function run(program, args, options = {}) {
  const { status, error } = spawnSync(program, args, { stdio: 'inherit', ...options });
  if (status === 0) return;
  console.error(`gpu-check: ${program}: ${error?.message ?? `status ${status}`}`);
  process.exit(1);
}

/** Packages with all those that they need, as package-lock.json names their folders. */
function closure(names) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const found = new Set();
  const queue = [...names];
  while (queue.length > 0) {
    const name = queue.pop();
    const folder = `node_modules/${name}`;
    if (found.has(folder) || packages[folder] === undefined) continue;
    found.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = packages[folder];
    queue.push(...Object.keys(dependencies), ...Object.keys(optionalDependencies));
  }
  return [...found].filter((folder) => existsSync(join(root, folder)));
}

const ownBinary = `${process.platform}-${process.arch}-gnu.node`;

/**
 * Whether a file is read by Node.js or by the compiler: no types, no binaries of other platforms,
 * and not the sources that zod ships beside what is built of them.
 */
function isNeeded(path) {
  if (path.endsWith('.node')) return path.endsWith(ownBinary);
  return (
    !/\.(d\.[cm]?ts|map|tsbuildinfo)$/.test(path) &&
    !path.startsWith(join(root, 'node_modules/zod/src'))
  );
}

function packRest(target, work) {
  const names = ['package.json', 'dist/src', ...closure(imported)];
  for (const name of names)
    cpSync(join(root, name), join(work, name), {
      recursive: true,
      dereference: true,
      filter: isNeeded,
    });
  run('tar', ['cJf', target, '-C', work, '.'], { env: { ...process.env, XZ_OPT: '-9e' } });
}

/** Node.js, which is running this: without its symbols, and with a filter for machine code. */
function packNode(target, work) {
  const stripped = join(work, 'node');
  run('strip', ['--strip-unneeded', '-o', stripped, process.execPath]);
  const filters = [...(process.arch === 'x64' ? ['--x86'] : []), '--lzma2=preset=9e,dict=96MiB'];
  run('xz', ['--format=xz', ...filters, '--force', stripped]);
  cpSync(`${stripped}.xz`, target);
}

export function pack(folder) {
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'sae-eval-pack-'));
  const archives = ['node.xz', 'rest.tar.xz'].map((name) => join(folder, name));
  try {
    mkdirSync(join(work, 'rest'));
    packNode(archives[0], work);
    packRest(archives[1], join(work, 'rest'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const sizes = archives.map((file) => statSync(file).size);
  archives.forEach((file, i) => console.log(`${file}: ${(sizes[i] / 1e6).toFixed(1)} MB`));
  console.log('In a clone on the other machine: bash bench/gpu-check/gpu-check.sh FOLDER');
}
