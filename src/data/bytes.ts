/** A file's bytes, piece by piece, decompressed. */
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import type { DataFile } from './files.js';

const pieceBytes = 1 << 18;

async function* filePieces(path: string): AsyncGenerator<Buffer, void, undefined> {
  const file = await open(path);
  try {
    for (;;) {
      const piece = Buffer.allocUnsafe(pieceBytes);
      const { bytesRead } = await file.read(piece, 0, pieceBytes, null);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function* gunzipped(path: string): AsyncGenerator<Buffer, void, undefined> {
  const source = Readable.from(filePieces(path));
  const gunzip = createGunzip({ chunkSize: pieceBytes });
  source.on('error', (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  try {
    for await (const piece of gunzip) yield piece as Buffer;
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? '';
    if (code.startsWith('Z_')) throw new SaeEvalError('dataset-invalid', `${path}: expected a gzip file, found something else or a damaged one (${(thrown as Error).message}).`, { cause: thrown });
    throw thrown;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

/**
 * Closes the file when the caller stops early.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `dataset-invalid` for a damaged compressed file.
 */
export async function* readBytes({ path, compression }: DataFile): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* compression === 'gzip' ? gunzipped(path) : filePieces(path);
  } catch (thrown) {
    throw asSaeEvalError(thrown, `The data file ${path}`);
  }
}
