/** Unpacks the parts of a Python wheel (a zip file) that a C++ program needs. */
import { on } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { open, type Entry, type ZipFile } from 'yauzl';
import { SaeEvalError } from '../../errors.js';

/** Files that are unpacked at once: most are headers of a few kilobytes. */
const atOnce = 8;

/**
 * Unpacks the entries of a wheel that `select` accepts into `folder`. `onProgress` receives the
 * fraction done, 0…1. The zip reader refuses names that lead out of the folder.
 * @throws SaeEvalError `setup-missing` if the file is damaged.
 */
export async function unpackWheel(
  path: string,
  folder: string,
  {
    select,
    onProgress,
  }: { select: (entry: string) => boolean; onProgress?: (fraction: number) => void },
): Promise<void> {
  try {
    const zip = await openZip(path);
    try {
      const entries = await selected(zip, select);
      const parents = new Set(entries.map(({ fileName }) => dirname(join(folder, fileName))));
      for (const parent of parents) await mkdir(parent, { recursive: true });
      const bytes = entries.reduce((sum, { compressedSize }) => sum + compressedSize, 0);
      let done = 0;
      const unpack = async (): Promise<void> => {
        for (let entry; (entry = entries.pop()) !== undefined;) {
          const target = createWriteStream(join(folder, entry.fileName));
          await pipeline(await openEntry(zip, entry), target);
          done += entry.compressedSize;
          onProgress?.(done / bytes);
        }
      };
      const outcomes = await Promise.allSettled(Array.from({ length: atOnce }, unpack));
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    } finally {
      zip.close();
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SaeEvalError(
      'setup-missing',
      `The wheel ${path} cannot be unpacked to ${folder} (${reason}): check the space on ` +
        'that disk and run set-up again.',
      { cause: error },
    );
  }
}

/** The entries that are files and that `select` accepts, the largest last. */
async function selected(zip: ZipFile, select: (entry: string) => boolean): Promise<Entry[]> {
  const found: Entry[] = [];
  const entries = on(zip, 'entry', { close: ['end'] });
  zip.readEntry();
  for await (const [entry] of entries as AsyncIterable<[Entry]>) {
    if (!entry.fileName.endsWith('/') && select(entry.fileName)) found.push(entry);
    zip.readEntry();
  }
  return found.sort((a, b) => a.compressedSize - b.compressedSize);
}

function openZip(path: string): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    open(path, { lazyEntries: true, autoClose: false }, (error, zip) =>
      error === null ? resolve(zip) : reject(error),
    );
  });
}

function openEntry(zip: ZipFile, entry: Entry): Promise<Readable> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) =>
      error === null ? resolve(stream) : reject(error),
    );
  });
}
