/**
 * Identity of a file by its content. Small files are hashed whole. Of larger ones samples are
 * hashed, which tell apart any two files that somebody would take for one another, but not a change
 * of a few bytes; so their times count too.
 */
import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { FileBytes } from '../../checkpoint/file-bytes.js';
import { factsIfAny, holding } from '../../files/index.js';

/** Bytes up to which a file is hashed whole: 20 ms on one core. */
export const hashedWhole = 32 * 2 ** 20;
/** Samples of a larger file, its beginning (the header of its tensors) and its end among them. */
const samples = 64;
const sampleBytes = 4096;

const timesSchema = z.object({
  size: z.number(),
  inode: z.string(),
  /** Time of the last change of the content, in nanoseconds; a program may set it. */
  modified: z.string(),
  /** Time of the last change of the content or of anything else; no program can set it. */
  changed: z.string(),
});
export type FileTimes = z.infer<typeof timesSchema>;

export const fileContentSchema = z.object({
  path: z.string(),
  times: timesSchema,
  digest: z.string(),
  /** Whether the digest is over all bytes. */
  whole: z.boolean(),
  /** SHA-256 of the content by which a Hugging Face cache names it; null for other files. */
  blob: z.string().nullable(),
});
export type FileContent = z.infer<typeof fileContentSchema>;

/** Times of a file now; null if there is no such file. */
export function fileTimes(path: string): FileTimes | null {
  const facts = factsIfAny(path);
  if (facts === null) return null;
  const { size, ino, mtimeNs, ctimeNs } = facts;
  return {
    size: Number(size),
    inode: String(ino),
    modified: String(mtimeNs),
    changed: String(ctimeNs),
  };
}

/** Whether nothing was written to the file between the two, nor was it replaced. */
export function sameTimes(a: FileTimes, b: FileTimes): boolean {
  return (
    a.size === b.size && a.inode === b.inode && a.modified === b.modified && a.changed === b.changed
  );
}

function blobOf(path: string): string | null {
  try {
    const real = holding(path, (held) => held.real);
    const name = basename(real);
    return basename(dirname(real)) === 'blobs' && /^[0-9a-f]{64}$/.test(name) ? name : null;
  } catch {
    return null;
  }
}

function digestOf(path: string, whole: boolean): string {
  return FileBytes.with(path, (file) => {
    const hash = createHash('sha256');
    if (whole || file.size <= samples * sampleBytes) hash.update(file.read(0, file.size));
    else {
      hash.update(`${file.size} `);
      for (let sample = 0; sample < samples; sample++)
        hash.update(
          file.read(Math.floor(((file.size - sampleBytes) * sample) / (samples - 1)), sampleBytes),
        );
    }
    return hash.digest('hex');
  });
}

/**
 * Content of a file that had these times. `whole`: whether it is small enough to be hashed whole.
 * @throws Error with Node's code, SaeEvalError.
 */
export function fileContent(
  path: string,
  { times, whole }: { times: FileTimes; whole: boolean },
): FileContent {
  return { path, times, digest: digestOf(path, whole), whole, blob: blobOf(path) };
}

/**
 * Whether the file at the path has this content, as far as that can be told: a large file with
 * another time of modification counts as changed, unless a cache names it by its content.
 */
export function hasContent(path: string, before: FileContent): boolean {
  const times = fileTimes(path);
  if (times === null || times.size !== before.times.size) return false;
  if (sameTimes(times, before.times)) return true;
  if (
    !before.whole &&
    times.modified !== before.times.modified &&
    (before.blob === null || before.blob !== blobOf(path))
  )
    return false;
  try {
    return digestOf(path, before.whole) === before.digest;
  } catch {
    return false;
  }
}
