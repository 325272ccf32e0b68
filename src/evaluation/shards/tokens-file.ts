/**
 * The samples of a run as records of one size, so that a shard begins at its first sample at once.
 *
 * A record is `T` token ids, the number of real tokens and the number of tokens lost to truncation,
 * as 32-bit integers of little-endian order; then, if roles of conversations count, a byte for each
 * position that is 1 if its role does not count, filled up to a multiple of four.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { FileBytes } from '../../checkpoint/file-bytes.js';
import type { Sample } from '../../data/index.js';
import { SaeEvalError } from '../../errors.js';

/** Bytes of the record of a sample of `seqLen` positions. */
export const recordBytesFor = (seqLen: number, hasRoles: boolean): number =>
  4 * (seqLen + 2) + (hasRoles ? 4 * Math.ceil(seqLen / 4) : 0);

function recordOf({ ids, length, truncated, out }: Sample, bytes: number): Buffer {
  const record = Buffer.alloc(bytes);
  const T = ids.length;
  for (let t = 0; t < T; t++) record.writeInt32LE(ids[t]!, 4 * t);
  record.writeInt32LE(length, 4 * T);
  record.writeInt32LE(truncated, 4 * (T + 1));
  if (out !== undefined) record.set(out, 4 * (T + 2));
  return record;
}

/** Writes records; the file appears when it is finished. */
export class TokensWriter {
  readonly #file: number;
  readonly #digests: Buffer[] = [];
  #samples = 0;

  constructor(
    private readonly path: string,
    private readonly options: { seqLen: number; hasRoles: boolean; part: string },
  ) {
    this.#file = openSync(options.part, 'w', 0o644);
  }

  get recordBytes(): number {
    return recordBytesFor(this.options.seqLen, this.options.hasRoles);
  }

  get samples(): number {
    return this.#samples;
  }

  /** Appends the samples of a batch. */
  batch(samples: readonly Sample[]): void {
    const bytes = Buffer.concat(samples.map((sample) => recordOf(sample, this.recordBytes)));
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
    this.#digests.push(createHash('sha256').update(bytes).digest());
    this.#samples += samples.length;
  }

  /** SHA-256 of the digests of each range's batches. */
  digests(ranges: readonly (readonly [number, number])[]): string[] {
    return ranges.map(([from, to]) => digestOfBatches(this.#digests.slice(from, to)));
  }

  /** Makes the file appear under its name. */
  finish(): void {
    fsyncSync(this.#file);
    closeSync(this.#file);
    renameSync(this.options.part, this.path);
  }
}

function digestOfBatches(digests: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const digest of digests) hash.update(digest);
  return hash.digest('hex');
}

export interface TokensRange {
  seqLen: number;
  recordBytes: number;
  batchSize: number;
  samples: number;
  batches: readonly [number, number];
  sha256: string;
}

function sampleOf(record: Buffer, seqLen: number): Sample {
  const ids = Int32Array.from({ length: seqLen }, (_, t) => record.readInt32LE(4 * t));
  const sample = {
    ids,
    length: record.readInt32LE(4 * seqLen),
    truncated: record.readInt32LE(4 * (seqLen + 1)),
  };
  const flags = 4 * (seqLen + 2);
  return record.length === flags
    ? sample
    : { ...sample, out: Uint8Array.from(record.subarray(flags, flags + seqLen)) };
}

/**
 * The batches of a range. All of them are checked before the first is given.
 * @throws SaeEvalError `storage-damaged` if the records are not those of the plan.
 */
export function readTokens(
  path: string,
  { seqLen, recordBytes, batchSize, samples, batches: [from, to], sha256 }: TokensRange,
): Sample[][] {
  return FileBytes.withOwn(path, (file) => {
    const read: Buffer[] = [];
    for (let batch = from; batch < to; batch++) {
      const first = batch * batchSize;
      const count = Math.min(batchSize, samples - first);
      if (count <= 0 || (first + count) * recordBytes > file.size) break;
      read.push(file.read(first * recordBytes, count * recordBytes));
    }
    const digests = read.map((bytes) => createHash('sha256').update(bytes).digest());
    if (read.length < to - from || digestOfBatches(digests) !== sha256)
      throw new SaeEvalError(
        'storage-damaged',
        `${path}: the token ids of batches ${from} to ${to - 1} are not those of the plan. ` +
          'Copy the file again from where it was made, or remove the folder and begin again.',
      );
    return read.map((bytes) =>
      Array.from({ length: bytes.length / recordBytes }, (_, at) =>
        sampleOf(bytes.subarray(at * recordBytes, (at + 1) * recordBytes), seqLen),
      ),
    );
  });
}
