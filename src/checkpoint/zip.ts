/** The directory of a zip file with the places of its entries' bytes, by yauzl. Entries are mapped, so they must be stored. */
import { openSync, closeSync, fstatSync, readSync } from 'node:fs';
import yauzl from 'yauzl';
import { SaeEvalError } from '../errors.js';

export interface ZipEntry {
  byteOffset: number;
  byteLength: number;
}

const mostEntries = 200_000;
const localHeaderBytes = 30;

/**
 * Names and places of all entries. Places are checked: each lies in the file, none overlaps another.
 * @throws SaeEvalError `checkpoint-format`.
 */
export async function readZipDirectory(path: string): Promise<Map<string, ZipEntry>> {
  const bad = (what: string): SaeEvalError => new SaeEvalError('checkpoint-format', `${path}: not a zip file that torch.save writes: ${what}.`);
  const headers = await new Promise<yauzl.Entry[]>((resolve, reject) => {
    yauzl.open(path, { lazyEntries: true, autoClose: true, decodeStrings: true, validateEntrySizes: true }, (error, zip) => {
      if (error !== null || zip === undefined) return reject(bad(error?.message ?? 'cannot be opened'));
      if (zip.entryCount > mostEntries) return reject(bad(`${zip.entryCount} entries`));
      const entries: yauzl.Entry[] = [];
      zip.on('entry', (entry: yauzl.Entry) => {
        entries.push(entry);
        zip.readEntry();
      });
      zip.on('end', () => resolve(entries));
      zip.on('error', (failure: Error) => reject(bad(failure.message)));
      zip.readEntry();
    });
  });
  const file = openSync(path, 'r');
  try {
    const size = fstatSync(file).size;
    const found = new Map<string, ZipEntry>();
    for (const entry of headers) {
      if (entry.fileName.endsWith('/')) continue;
      if (entry.compressionMethod !== 0) throw bad(`entry '${entry.fileName}' is compressed; its bytes cannot be mapped`);
      if (entry.compressedSize !== entry.uncompressedSize) throw bad(`entry '${entry.fileName}' lies about its size`);
      const local = Buffer.alloc(localHeaderBytes);
      if (readSync(file, local, 0, localHeaderBytes, entry.relativeOffsetOfLocalHeader) < localHeaderBytes || local.readUInt32LE(0) !== 0x04034b50) {
        throw bad(`entry '${entry.fileName}' has no header where the directory says`);
      }
      const byteOffset = entry.relativeOffsetOfLocalHeader + localHeaderBytes + local.readUInt16LE(26) + local.readUInt16LE(28);
      if (byteOffset + entry.uncompressedSize > size) throw bad(`entry '${entry.fileName}' reaches past the end of the file`);
      if (found.has(entry.fileName)) throw bad(`entry '${entry.fileName}' is there twice`);
      found.set(entry.fileName, { byteOffset, byteLength: entry.uncompressedSize });
    }
    let end = 0;
    for (const [name, { byteOffset, byteLength }] of [...found].sort((a, b) => a[1].byteOffset - b[1].byteOffset)) {
      if (byteOffset < end) throw bad(`entry '${name}' overlaps another`);
      end = byteOffset + byteLength;
    }
    return found;
  } finally {
    closeSync(file);
  }
}
