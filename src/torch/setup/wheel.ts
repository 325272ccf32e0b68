/** Unpacks the parts of a Python wheel (a zip file) that a C++ program needs. */
import { on } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { open, type Entry, type ZipFile } from 'yauzl';
import { SaeEvalError } from '../../errors.js';

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
    const made = new Set<string>();
    const entries = on(zip, 'entry', { close: ['end'] });
    zip.readEntry();
    for await (const [entry] of entries as AsyncIterable<[Entry]>) {
      const name = entry.fileName;
      if (!name.endsWith('/') && select(name)) {
        const target = join(folder, name);
        const parent = dirname(target);
        if (!made.has(parent)) await mkdir(parent, { recursive: true });
        made.add(parent);
        await pipeline(await openEntry(zip, entry), createWriteStream(target));
        onProgress?.(entry.relativeOffsetOfLocalHeader / zip.fileSize);
      }
      zip.readEntry();
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

function openZip(path: string): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    open(path, { lazyEntries: true }, (error, zip) =>
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
