/**
 * Reads ranges of files into the system's memory before they are needed, beside the computing
 * thread: mapped weights are then there when they are first touched. The bytes themselves are
 * thrown away.
 */
import { open } from 'node:fs/promises';
import type { FileRange } from './weights.js';

/** Bytes of one read. */
const pieceBytes = 2 ** 22;

/** Ranges by file and place, joined if one begins where another ends, or shortly after. */
export function joined(ranges: readonly FileRange[], gap = 4096): FileRange[] {
  const sorted = [...ranges].sort((a, b) =>
    a.path === b.path ? a.from - b.from : a.path < b.path ? -1 : 1,
  );
  const all: FileRange[] = [];
  for (const { path, from, length } of sorted) {
    const last = all.at(-1);
    if (last?.path === path && from <= last.from + last.length + gap)
      last.length = Math.max(last.length, from + length - last.from);
    else all.push({ path, from, length });
  }
  return all;
}

/** Reads ahead. Faults are left to those who need the bytes. */
export async function readAhead(ranges: readonly FileRange[], signal: AbortSignal): Promise<void> {
  const piece = Buffer.allocUnsafe(pieceBytes);
  try {
    for (const { path, from, length } of ranges) {
      const file = await open(path, 'r');
      try {
        for (let at = from; at < from + length && !signal.aborted;) {
          const wanted = Math.min(pieceBytes, from + length - at);
          const { bytesRead } = await file.read(piece, 0, wanted, at);
          if (bytesRead === 0) break;
          at += bytesRead;
        }
      } finally {
        await file.close();
      }
    }
  } catch {
    // Who touches the weights is told.
  }
}
