/** The rate at which weight files are read, as measured now. */
import { openFileHandle } from '../../../files/index.js';
import { weightPaths } from '../../../lm/weight-files.js';

/** Bytes of one read, and number of reads in a file, which lie apart from each other. */
const pieceBytes = 2 ** 23;
const pieces = 8;

/**
 * Bytes of a second. What the system holds in memory of the files is read faster than the rest.
 * Null if there are no files.
 */
export async function readRate(folder: string): Promise<number | null> {
  const { files } = weightPaths(folder);
  const [path] = files;
  if (path === undefined) return null;
  const buffer = Buffer.allocUnsafe(pieceBytes);
  const file = await openFileHandle(path);
  let bytes = 0;
  const began = performance.now();
  try {
    const { size } = await file.stat();
    for (let piece = 0; piece < pieces; piece++) {
      const from = Math.floor(((piece + 0.5) * Math.max(0, size - pieceBytes)) / pieces);
      bytes += (await file.read(buffer, 0, pieceBytes, from)).bytesRead;
    }
  } finally {
    await file.close();
  }
  return bytes === 0 ? null : bytes / ((performance.now() - began) / 1000);
}
