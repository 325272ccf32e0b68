/** The worker of parquet.ts: decodes one column, a row group at a time, and sends it in slices when asked. */
import { open, type FileHandle } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { parquetMetadataAsync, parquetReadObjects, type AsyncBuffer, type Compressors, type FileMetaData } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { FromParquetWorker } from './parquet.js';

const rowsPerMessage = 512;
/** Of one column in one row group, decompressed. */
const mostBytes = 2 ** 30;

class Unreadable extends Error {}

/** Decompressors that do not believe any length. */
const careful: Compressors = Object.fromEntries(Object.entries(compressors).map(([codec, decompress]) => [codec, (input: Uint8Array, length: number): Uint8Array => {
  if (!(length >= 0 && length <= mostBytes)) throw new Unreadable(`expected a page of at most ${mostBytes} bytes, found one of ${length}`);
  return decompress(input, length);
}]));

function bufferOf(file: FileHandle, byteLength: number, onBytes: (count: number) => void): AsyncBuffer {
  return {
    byteLength,
    slice: async (start, end = byteLength) => {
      const from = start < 0 ? byteLength + start : start;
      if (!(from >= 0 && from <= end && end <= byteLength)) throw new Unreadable(`expected bytes within the file of ${byteLength}, found ${from}…${end}`);
      const bytes = new Uint8Array(end - from);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
      onBytes(bytesRead);
      return bytes.buffer;
    },
  };
}

/** Top-level columns by name. */
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

/** Refuses a row group whose column is larger than may be held at once. */
function checkRowGroup({ columns }: FileMetaData['row_groups'][number], column: string, index: number): void {
  for (const { meta_data: meta } of columns) {
    if (meta === undefined || meta.path_in_schema[0] !== column) continue;
    if (Number(meta.total_uncompressed_size) > mostBytes) {
      throw new Unreadable(`expected row groups of at most ${mostBytes} bytes in column ${column}, found ${meta.total_uncompressed_size} in row group ${index}; write it again with smaller row groups`);
    }
  }
}

async function* slices({ path, column }: { path: string; column: string }): AsyncGenerator<FromParquetWorker, void, undefined> {
  let bytes = 0;
  const file = await open(path);
  try {
    const buffer = bufferOf(file, (await file.stat()).size, (count) => { bytes += count; });
    const metadata = await parquetMetadataAsync(buffer);
    const names = columnsOf(metadata);
    const top = names.includes(column) ? column : column.split('.')[0]!;
    if (!names.includes(top)) throw new Unreadable(`expected a column ${column}, found ${names.slice(0, 20).join(', ')}`);
    let rowStart = 0;
    for (const [index, group] of metadata.row_groups.entries()) {
      checkRowGroup(group, top, index);
      const rowEnd = rowStart + Number(group.num_rows);
      const rows = await parquetReadObjects({ file: buffer, metadata, columns: [top], rowStart, rowEnd, compressors: careful });
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
const source = slices(workerData as { path: string; column: string });
port.on('message', () => {
  source.next().then(
    ({ done, value }) => port.postMessage(done === true || value === undefined ? { done: true } : value),
    (thrown: unknown) => {
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      port.postMessage({ error: thrown instanceof Unreadable ? message : `expected a parquet file, found something else or a damaged one (${message})` });
    },
  );
});
