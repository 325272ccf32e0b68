/** Writes the bytes of tensors in pieces, to files that appear only when they are complete. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { SaeEvalError } from '../errors.js';
import type { Tensor } from '../torch/index.js';

/** Bytes of a tensor that are copied at a time. */
const pieceBytes = 2 ** 26;

/** Appends to a file and counts the bytes. */
export class FileWriter {
  #position = 0;

  constructor(private readonly handle: FileHandle) {}

  get position(): number {
    return this.#position;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;)
      at += (await this.handle.write(bytes, at, bytes.length - at, this.#position + at))
        .bytesWritten;
    this.#position += bytes.length;
  }

  /** Overwrites bytes that were written before. */
  async rewrite(bytes: Uint8Array, position: number): Promise<void> {
    await this.handle.write(bytes, 0, bytes.length, position);
  }
}

/**
 * Elements of a tensor, row-major, in pieces of at most 64 MiB. The copies on the CPU live as long
 * as the iteration.
 */
export function* tensorPieces(tensor: Tensor): Generator<Uint8Array> {
  if (tensor.numel === 0) return;
  using detached = tensor.detach();
  using onCpu = detached.to({ device: 'cpu' });
  using contiguous = onCpu.contiguous();
  using flat = contiguous.reshape([-1]);
  using bytes = flat.view('uint8');
  for (let from = 0; from < bytes.numel; from += pieceBytes) {
    using piece = bytes.narrow(0, from, Math.min(pieceBytes, bytes.numel - from));
    yield piece.toTypedArray() as Uint8Array;
  }
}

/**
 * Writes a temporary file beside `path` and renames it when all is on disk. A reader of `path`
 * finds the old file or the new one.
 * @throws SaeEvalError `file-unreadable` if the file cannot be written.
 */
export async function writeAtomically(
  path: string,
  fill: (writer: FileWriter) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      await fill(new FileWriter(handle));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof SaeEvalError) throw error;
    throw new SaeEvalError(
      'file-unreadable',
      `${path}: cannot be written: ${(error as Error).message}.`,
      { cause: error },
    );
  }
}
