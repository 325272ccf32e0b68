/**
 * Files that processes and threads start from. `npm run build` bundles what each imports (see
 * bundle.mjs), since Node takes about a millisecond for a module, and there are hundreds.
 */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const dist = new URL('../', import.meta.url);

function writtenAt(file: URL): number | null {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

/**
 * The address of a module with all that it imports if there is such a bundle and nothing was
 * compiled since, else that of the module.
 * A bundle has the names of the module and of its folder.
 * @param module its path below `dist`, such as `src/compute/child.js`.
 */
export function entryUrl(module: string): URL {
  const bundle = new URL(`bundle/${module.split('/').slice(-2).join('/')}`, dist);
  const bundledAt = writtenAt(bundle);
  // A package has no such file, and nothing is compiled there.
  const compiledAt = writtenAt(new URL('.tsbuildinfo', dist)) ?? 0;
  return bundledAt !== null && bundledAt >= compiledAt ? bundle : new URL(module, dist);
}

/** The same as a path. */
export function entryFile(module: string): string {
  return fileURLToPath(entryUrl(module));
}
