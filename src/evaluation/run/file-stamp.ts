/** Tells whether a file, or a folder of files, is the one that was read before. Native-free. */
import { readdirSync, statSync, type BigIntStats } from 'node:fs';
import { join } from 'node:path';

/**
 * A file that was replaced, also by one of the same size and time, has another inode or another
 * time of change.
 */
function identity(path: string, stats: BigIntStats): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return [path, dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

/** Weights lie in a folder, or in one folder of it. */
const deepest = 1;

function stampOf(path: string, depth: number): string {
  const stats = statSync(path, { bigint: true });
  if (!stats.isDirectory()) return identity(path, stats);
  if (depth > deepest) return path;
  return readdirSync(path)
    .sort()
    .map((name) => stampOf(join(path, name), depth + 1))
    .join('\n');
}

/**
 * Which file lies at a path now; of a folder, which files lie in it. Null where there is none or it
 * cannot be read.
 */
export function fileStamp(path: string): string | null {
  try {
    return stampOf(path, 0);
  } catch {
    return null;
  }
}
