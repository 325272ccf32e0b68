/** Reads rows of a run's `latents.parquet`: sorted, a page at a time, or one latent. */
import { open, type FileHandle } from 'node:fs/promises';
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { SaeEvalError } from '../../errors.js';
import { nearestName } from '../../nearest-name.js';
import type { Latent, Latents, LatentSort } from '../../schema/index.js';
import { latentsAboutSchema, restoredRow, type LatentsAbout } from './file-schema.js';

export interface ReadLatentsOptions {
  /** Label of the SAE; default the first of the table. */
  sae?: string | undefined;
  /** Column to sort by; default `latent`. Rows without a value come last. */
  sort?: LatentSort | undefined;
  /** Default: ascending by number, else descending. */
  order?: 'asc' | 'desc' | undefined;
  /** Number of rows; default 100. */
  limit?: number | undefined;
  /** Rows that are left out before; default 0. */
  offset?: number | undefined;
  /** The one latent that is read, whatever the order. */
  latent?: number | undefined;
}

interface Table {
  buffer: AsyncBuffer;
  metadata: FileMetaData;
  about: LatentsAbout;
}

function bufferOf(file: FileHandle, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    slice: async (start, end = byteLength) => {
      const from = start < 0 ? byteLength + start : start;
      const bytes = new Uint8Array(Math.max(0, Math.min(end, byteLength) - from));
      await file.read(bytes, 0, bytes.length, from);
      return bytes.buffer;
    },
  };
}

function aboutOf({ key_value_metadata }: FileMetaData): LatentsAbout {
  const text = key_value_metadata?.find(({ key }) => key === 'sae-eval')?.value;
  return latentsAboutSchema.parse(JSON.parse(text ?? 'null'));
}

/** The library, which servers and commands load with the first table. */
const library = () => import('hyparquet');

async function using<T>(path: string, use: (table: Table) => Promise<T>): Promise<T> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const buffer = bufferOf(file, size);
    let table: Table;
    try {
      const metadata = await (await library()).parquetMetadataAsync(buffer);
      table = { buffer, metadata, about: aboutOf(metadata) };
    } catch (thrown) {
      throw new SaeEvalError(
        'storage-damaged',
        `${path}: expected a latents table (latents.parquet of a run), found something else or a ` +
          'damaged one. Evaluate again.',
        { cause: thrown },
      );
    }
    return await use(table);
  } finally {
    await file.close();
  }
}

function saeOf({ saes }: LatentsAbout, label: string | undefined): LatentsAbout['saes'][number] {
  const found = label === undefined ? saes[0] : saes.find((one) => one.label === label);
  if (found !== undefined) return found;
  const labels = saes.map((one) => one.label);
  const nearest = label === undefined ? null : nearestName(label, labels);
  throw new SaeEvalError(
    'not-found',
    `sae: the latents table has no SAE ${label ?? ''}: expected one of ${labels.join(', ')}` +
      (nearest === null ? '' : ` (did you mean ${nearest}?)`),
  );
}

/** Rows from `from` on, `count` of them. */
async function rowsAt(
  { buffer, metadata }: Table,
  { from, count, columns }: { from: number; count: number; columns?: string[] },
): Promise<Record<string, unknown>[]> {
  return (await library()).parquetReadObjects({
    file: buffer,
    metadata,
    rowStart: from,
    rowEnd: from + count,
    useOffsetIndex: true,
    ...(columns === undefined ? {} : { columns }),
  });
}

/** Numbers of the latents in order. */
async function ordered(
  table: Table,
  { row, m, sort, order }: { row: number; m: number; sort: LatentSort; order: 'asc' | 'desc' },
): Promise<Uint32Array> {
  const latents = Uint32Array.from({ length: m }, (_, latent) => latent);
  if (sort === 'latent') return order === 'asc' ? latents : latents.reverse();
  const rows = await rowsAt(table, { from: row, count: m, columns: [sort] });
  const values = Float64Array.from(rows, (one) => Number(one[sort] ?? NaN));
  const sign = order === 'asc' ? 1 : -1;
  return latents.sort((a, b) => {
    const [x, y] = [values[a]!, values[b]!];
    if (Number.isNaN(x) || Number.isNaN(y))
      return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b;
    return sign * (x - y) || a - b;
  });
}

/** The rows of some latents, in their order; neighbors are read together. */
async function rowsOf(
  table: Table,
  { row, latents }: { row: number; latents: Uint32Array },
): Promise<Latent[]> {
  const found = new Map<number, Latent>();
  const wanted = Uint32Array.from(latents).sort();
  for (let at = 0; at < wanted.length;) {
    let end = at + 1;
    while (end < wanted.length && wanted[end] === wanted[end - 1]! + 1) end++;
    const rows = await rowsAt(table, { from: row + wanted[at]!, count: end - at });
    for (const one of rows.map(restoredRow)) found.set(one.latent, one);
    at = end;
  }
  return Array.from(latents, (latent) => found.get(latent)!);
}

/**
 * Rows of the latents table of one SAE.
 * @throws SaeEvalError `not-found` for an SAE or a latent that the table does not have,
 *   `storage-damaged`.
 * @throws Error with Node's code, such as `ENOENT`, if the file cannot be opened.
 */
export function readLatents(path: string, options: ReadLatentsOptions = {}): Promise<Latents> {
  const { sort = 'latent', limit = 100, offset = 0, latent } = options;
  const { order = sort === 'latent' ? 'asc' : 'desc' } = options;
  return using(path, async (table) => {
    const { about } = table;
    const { label, m, row, dead, positions, samples } = saeOf(about, options.sae);
    if (latent !== undefined && latent >= m)
      throw new SaeEvalError(
        'not-found',
        `latent: ${label} has the latents 0 to ${m - 1}, found ${latent}`,
      );
    const latents =
      latent === undefined
        ? (await ordered(table, { row, m, sort, order })).slice(offset, offset + limit)
        : Uint32Array.of(latent);
    return {
      sae: label,
      saes: about.saes.map((one) => one.label),
      m,
      dead,
      positions,
      samples,
      contexts: about.contexts,
      edges: about.edges,
      latents: await rowsOf(table, { row, latents }),
    };
  });
}
