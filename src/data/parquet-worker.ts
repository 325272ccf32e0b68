/**
 * Worker thread of parquet.ts: decodes one column, one row group at a time, and sends a slice of it
 * for each message it receives.
 */
import type { FileHandle } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import {
  parquetMetadataAsync,
  parquetReadObjects,
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
} from 'hyparquet';
import { decompress as decompressZstd } from 'fzstd';
import { compressors } from 'hyparquet-compressors';
import { SaeEvalError } from '../errors.js';
import { confineTo, openFileHandle } from '../files/index.js';
import type { FromParquetWorker, ParquetTask } from './parquet.js';

const rowsPerMessage = 512;
/** Limit on one column of one row group, decompressed. */
const mostBytes = 2 ** 30;

class Unreadable extends Error {}

/**
 * Limit on a decompressed page: the larger of this constant and this factor on its compressed size.
 * Writers make pages of 1 MiB by default.
 */
const alwaysAllowed = 2 ** 24;
const mostInflation = 64;

/** Decompressors that check every length and count the bytes they give. */
function carefulCompressors(count: (bytes: number) => void): Compressors {
  return Object.fromEntries(
    Object.entries(compressors).map(([codec, decompress]) => [
      codec,
      (input: Uint8Array, length: number): Uint8Array => {
        const most = Math.min(mostBytes, Math.max(alwaysAllowed, mostInflation * input.length));
        if (!(length >= 0 && length <= most))
          throw new Unreadable(
            `expected a page of at most ${most} bytes (it is compressed to ` +
              `${input.length}), found one of ${length}`,
          );
        count(length);
        // Without a buffer, zstd's decompressor would go by the frame's length, not the page's.
        return codec === 'ZSTD'
          ? decompressZstd(input, new Uint8Array(length))
          : decompress(input, length);
      },
    ]),
  );
}

function bufferOf(
  file: FileHandle,
  byteLength: number,
  onBytes: (count: number) => void,
): AsyncBuffer {
  return {
    byteLength,
    slice: async (start, end = byteLength) => {
      const from = start < 0 ? byteLength + start : start;
      if (!(from >= 0 && from <= end && end <= byteLength))
        throw new Unreadable(
          `expected bytes within the file of ${byteLength}, found ${from}…${end}`,
        );
      const bytes = new Uint8Array(end - from);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
      onBytes(bytesRead);
      return bytes.buffer;
    },
  };
}

/** Names of the top-level columns. */
function columnsOf({ schema }: FileMetaData): string[] {
  const names: string[] = [];
  let at = 1;
  const skip = (): void => {
    const children = schema[at++]?.num_children ?? 0;
    for (let i = 0; i < children && at < schema.length; i++) skip();
  };
  while (at < schema.length) {
    names.push(schema[at]!.name);
    skip();
  }
  return names;
}

/** Refuses a row group whose column is too large to be held at once. */
function checkRowGroup(
  { columns }: FileMetaData['row_groups'][number],
  column: string,
  index: number,
): void {
  for (const { meta_data: meta } of columns) {
    if (meta === undefined || meta.path_in_schema[0] !== column) continue;
    if (Number(meta.total_uncompressed_size) > mostBytes) {
      throw new Unreadable(
        `expected row groups of at most ${mostBytes} bytes in column ${column}, found ` +
          `${meta.total_uncompressed_size} in row group ${index}; write it again with ` +
          'smaller row groups',
      );
    }
  }
}

async function* slices({
  path,
  column,
  within,
}: ParquetTask): AsyncGenerator<FromParquetWorker, void, undefined> {
  confineTo(within);
  let bytes = 0;
  const file = await openFileHandle(path);
  try {
    const { size } = await file.stat();
    const buffer = bufferOf(file, size, (count) => {
      bytes += count;
    });
    // The limit on a row group depends on the file's size: thousands of small pages can inflate to
    // gigabytes too.
    const most = Math.min(mostBytes, 4 * alwaysAllowed + mostInflation * size);
    let inflated = 0;
    const careful = carefulCompressors((count) => {
      inflated += count;
      if (inflated > most)
        throw new Unreadable(
          `expected row groups that take at most ${most} bytes in a file of ${size}, found ` +
            'more; write it again with smaller row groups',
        );
    });
    const metadata = await parquetMetadataAsync(buffer);
    const names = columnsOf(metadata);
    const top = names.includes(column) ? column : column.split('.')[0]!;
    if (!names.includes(top))
      throw new Unreadable(`expected a column ${column}, found ${names.slice(0, 20).join(', ')}`);
    let rowStart = 0;
    for (const [index, group] of metadata.row_groups.entries()) {
      checkRowGroup(group, top, index);
      inflated = 0;
      const rowEnd = rowStart + Number(group.num_rows);
      const rows = await parquetReadObjects({
        file: buffer,
        metadata,
        columns: [top],
        rowStart,
        rowEnd,
        compressors: careful,
      });
      for (let from = 0; from < rows.length; from += rowsPerMessage) {
        const values = rows.slice(from, from + rowsPerMessage).map((row): unknown => {
          const value: unknown = row[top];
          return value === null || value === undefined ? {} : { [top]: value };
        });
        yield { values, bytes };
        bytes = 0;
      }
      rowStart = rowEnd;
    }
  } finally {
    await file.close();
  }
}

const port = parentPort!;
const source = slices(workerData as ParquetTask);
port.on('message', () => {
  source.next().then(
    ({ done, value }) =>
      port.postMessage(done === true || value === undefined ? { done: true } : value),
    (thrown: unknown) => {
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      port.postMessage({
        ...(thrown instanceof SaeEvalError ? { fault: thrown.toJSON() } : {}),
        error:
          thrown instanceof Unreadable
            ? message
            : `expected a parquet file, found something else or a damaged one (${message})`,
      });
    },
  );
});
