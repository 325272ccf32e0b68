/**
 * Identity of a build of the addon: a hash of all it depends on. If it is unchanged, building again
 * would change nothing.
 */
import { createHash, type Hash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SaeEvalError } from '../../errors.js';
import type { Libtorch } from './libtorch.js';
import { packageRoot } from './paths.js';

/** The two header packages that the addon is compiled with: their folders and versions. */
export interface Headers {
  nodeApi: string;
  nodeAddonApi: string;
  versions: string;
}

export function findHeaders(): Headers {
  const require = createRequire(import.meta.url);
  const locate = (name: string): { folder: string; version: string } => {
    try {
      const manifest = require.resolve(`${name}/package.json`);
      return {
        folder: dirname(manifest),
        version: (require(manifest) as { version: string }).version,
      };
    } catch (error) {
      throw new SaeEvalError(
        'setup-missing',
        `The package ${name}, with whose headers the native addon is built, is not ` +
          'installed: run `npm ci`.',
        { cause: error },
      );
    }
  };
  const nodeApi = locate('node-api-headers');
  const nodeAddonApi = locate('node-addon-api');
  return {
    nodeApi: join(nodeApi.folder, 'include'),
    nodeAddonApi: nodeAddonApi.folder,
    versions: `${nodeApi.version} ${nodeAddonApi.version}`,
  };
}

/** Hash of the addon's sources and of how they are compiled. */
export async function nativeSources(): Promise<string> {
  const hash = createHash('sha256');
  await addSources(hash);
  return hash.digest('hex');
}

async function addSources(hash: Hash): Promise<void> {
  const native = join(packageRoot, 'native');
  const files = (await readdir(native, { recursive: true, withFileTypes: true })).filter(
    (entry) => entry.isFile() && /\.(cc|h|txt|cmake)$/.test(entry.name),
  );
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort()) {
    hash
      .update(`${path.slice(native.length)}\0`)
      .update(await readFile(path))
      .update('\0');
  }
}

/** The identity that a build with these parts would have. */
export async function buildIdentity({
  libtorch,
  headers,
  compiler,
}: {
  libtorch: Libtorch;
  headers: Headers;
  compiler: string;
}): Promise<string> {
  const hash = createHash('sha256');
  await addSources(hash);
  // Size and date tell a libtorch that was replaced in place.
  const library = await stat(join(libtorch.folder, 'lib', 'libtorch_cpu.so'));
  const rest = [
    libtorch.folder,
    libtorch.version,
    library.size,
    library.mtimeMs,
    headers.versions,
    compiler,
    process.arch,
  ];
  return hash.update(JSON.stringify(rest)).digest('hex');
}
