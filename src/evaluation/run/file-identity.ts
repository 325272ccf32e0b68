/** Identity of a file, or of the files of a folder: equal as long as nothing was replaced. */
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { holding, namesIn } from '../../files/index.js';

/**
 * A file that was replaced, also by one of the same size and time, has another inode or another
 * time of change.
 */
function identityOfFile(path: string, stats: BigIntStats): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return [path, dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

/** Weights lie in a folder, or in one folder of it. */
const deepest = 1;

function identityOf(path: string, depth: number): string {
  const stats = holding(path, ({ facts }) => facts);
  if (!stats.isDirectory()) return identityOfFile(path, stats);
  if (depth > deepest) return path;
  return namesIn(path)
    .sort()
    .map((name) => identityOf(join(path, name), depth + 1))
    .join('\n');
}

/**
 * Identity of the file or folder at a path now; null if there is none or it cannot be read.
 */
export function fileIdentity(path: string): string | null {
  try {
    return identityOf(path, 0);
  } catch {
    return null;
  }
}
