/** Reads the bytes of a file piece by piece, decompressed. */
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { openFileHandle } from '../files/index.js';
import type { DataFile } from './data-file.js';

const pieceBytes = 1 << 18;
/**
 * Number of compressed bytes that are pushed at once. A block of three bytes may inflate to
 * 128 KiB, so one push gives at most 44 MiB.
 */
const zstdPieceBytes = 1 << 10;

async function* filePieces(path: string): AsyncGenerator<Buffer, void, undefined> {
  const file = await openFileHandle(path);
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
    if (code.startsWith('Z_'))
      throw new SaeEvalError(
        'dataset-invalid',
        `${path}: expected a gzip file, found something else or a damaged one ` +
          `(${(thrown as Error).message}).`,
        { cause: thrown },
      );
    throw thrown;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

/** A few bytes can inflate to gigabytes, so each inflated piece is passed on at once. */
async function* unzstd(path: string): AsyncGenerator<Buffer, void, undefined> {
  const { Decompress } = await import('fzstd');
  const ready: Buffer[] = [];
  const decompress = new Decompress(
    (piece) => void ready.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)),
  );
  const push = (piece: Uint8Array, last: boolean): void => {
    try {
      decompress.push(piece, last);
    } catch (thrown) {
      throw new SaeEvalError(
        'dataset-invalid',
        `${path}: expected a zstd file, found something else or a damaged one ` +
          `(${thrown instanceof Error ? thrown.message : String(thrown)}).`,
        { cause: thrown },
      );
    }
  };
  for await (const bytes of filePieces(path)) {
    for (let from = 0; from < bytes.length; from += zstdPieceBytes) {
      push(bytes.subarray(from, from + zstdPieceBytes), false);
      yield* ready.splice(0);
    }
  }
  push(new Uint8Array(0), true);
  yield* ready.splice(0);
}

/**
 * Bytes of a file in pieces. The file is closed when the caller stops, early or not.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `dataset-invalid` for a damaged
 *   compressed file.
 */
export async function* readBytes({
  path,
  compression,
}: DataFile): AsyncGenerator<Buffer, void, undefined> {
  const read = { none: filePieces, gzip: gunzipped, zstd: unzstd }[compression];
  try {
    yield* read(path);
  } catch (thrown) {
    throw asSaeEvalError(thrown, `The data file ${path}`);
  }
}
