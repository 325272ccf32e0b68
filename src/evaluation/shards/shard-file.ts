/**
 * The result of a shard as a safetensors file: its sums, and who computed them. Two results of one
 * shard must be of the same bits.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { bilingualSchema } from '../../schema/result.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import { accumulatorOf, arraysOf } from '../run/accumulator-arrays.js';
import {
  DamagedFileError,
  readArrayFile,
  writeArrayFile,
  type NamedArray,
} from '../run/array-file.js';
import type { MicroBatch } from '../engine/micro-batch.js';
import { decisionsSchema } from '../run/journal.js';

const format = 'sae-eval shard';
const formatVersion = 1;

const aboutSchema = z.object({
  plan: z.string(),
  shard: z.number().int().nonnegative(),
  host: z.string(),
  /** Kind of machine, in one line. */
  machine: z.string(),
  /** Compute time. */
  seconds: z.number(),
  /** As at the end of the shard: it shrinks if memory runs out. */
  microBatch: decisionsSchema.shape.microBatch,
  warnings: z.array(bilingualSchema),
  peakBytes: z.number(),
  devicePeakBytes: z.number().optional(),
  /** SHA-256 of the sums, whoever computed them. */
  sums: z.string(),
});

/** A shard's file, apart from its sums. */
export type AboutShard = Omit<z.infer<typeof aboutSchema>, 'microBatch'> & {
  microBatch: MicroBatch;
};

export interface ShardResult extends AboutShard {
  accumulator: Accumulator;
}

/** SHA-256 of arrays with their names. */
function sumsDigest(arrays: ReadonlyMap<string, NamedArray>): string {
  const hash = createHash('sha256');
  for (const name of [...arrays.keys()].sort()) {
    const { shape, data } = arrays.get(name)!;
    hash.update(`${name} ${shape.join(' ')}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}

/** Writes a result to `path`. @returns the digest of its sums. */
export function writeShardFile(
  path: string,
  { accumulator, ...about }: Omit<ShardResult, 'sums'>,
): string {
  const arrays = arraysOf(accumulator);
  const sums = sumsDigest(arrays);
  const metadata = {
    format,
    version: String(formatVersion),
    about: JSON.stringify({ ...about, sums }),
  };
  // Whoever merges may be another user.
  writeArrayFile(path, { arrays, metadata }, { mode: 0o644 });
  return sums;
}

/**
 * Reads a result.
 * @throws DamagedFileError if a byte is not the one that was written, or it is no such file.
 */
export function readShardFile(path: string): ShardResult {
  const { arrays, metadata } = readArrayFile(path);
  if (metadata['format'] !== format || metadata['version'] !== String(formatVersion))
    throw new DamagedFileError('another version of sae-eval wrote it');
  const about = aboutSchema.safeParse(JSON.parse(metadata['about'] ?? 'null'));
  if (!about.success) throw new DamagedFileError('its header does not say who computed it');
  return { ...about.data, accumulator: accumulatorOf(arrays) };
}
