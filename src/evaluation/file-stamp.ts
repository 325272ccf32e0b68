/** Tells whether a file, or a folder of files, is the one that was read before. Native-free. */
import { readdirSync, statSync, type BigIntStats } from 'node:fs';
import { join } from 'node:path';

/** A file that was replaced, also by one of the same size and time, has another inode or another time of change. */
function identity(path: string, stats: BigIntStats): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return [path, dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

/** Which file lies at a path now; of a folder, which files lie in it. Null where there is none or it cannot be read. */
export function fileStamp(path: string): string | null {
  try {
    const stats = statSync(path, { bigint: true });
    if (!stats.isDirectory()) return identity(path, stats);
    const files = readdirSync(path).sort().map((name) => ({ name, stats: statSync(join(path, name), { bigint: true }) }));
    return files.filter((file) => file.stats.isFile()).map((file) => identity(file.name, file.stats)).join('\n');
  } catch {
    return null;
  }
}
