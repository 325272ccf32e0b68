/**
 * Mutated checkpoints from a seed: what a parser makes of them is a result or a coded error, within
 * bounded time.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { SaeEvalError } from '#src/errors.js';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { fixture } from '../checkpoint/fixtures/path.js';

/** The files that are mutated, by the parser that reads them. */
export const seeds = {
  zip: ['state-dict.pt', 'zip64.pt', 'views.pt', 'nested.pt'],
  pickle: ['legacy.pt', 'legacy-protocol-4.pt', 'views-legacy.pt', 'bad-os-system-legacy.pt'],
  npz: ['arrays.npz', 'arrays-deflated.npz'],
  safetensors: ['dtypes.safetensors', 'prefix.safetensors'],
} as const;
export type Parser = keyof typeof seeds;

/** Mulberry32: 32 random bits at a time from a seed. */
export function randomBits(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), bits | 61)) ^ bits;
    return (bits ^ (bits >>> 14)) >>> 0;
  };
}

const extremes = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** One to three changes; most of them lie where the headers are, which is near either end. */
export function mutated(original: Uint8Array, random: () => number): Buffer {
  let bytes = Buffer.from(original);
  const below = (n: number): number => random() % Math.max(n, 1);
  const place = (): number => {
    const near = below(Math.min(bytes.length, 1200));
    return [below(bytes.length), near, Math.max(0, bytes.length - 1 - near)][below(3)]!;
  };
  for (let change = 1 + below(3); change > 0; change--) {
    const at = place();
    if (bytes.length < 16) return bytes;
    switch (below(8)) {
      case 0:
        bytes[at]! ^= 1 << below(8);
        break;
      case 1:
        bytes[at] = below(256);
        break;
      case 2:
        bytes.writeUInt32LE(
          Number(extremes[below(extremes.length)]! & 0xffffffffn),
          Math.min(at, bytes.length - 4),
        );
        break;
      case 3:
        bytes.writeBigUInt64LE(extremes[below(extremes.length)]!, Math.min(at, bytes.length - 8));
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + below(20))]);
        break;
      case 5:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          bytes.subarray(place(), place() + 40),
          bytes.subarray(at),
        ]);
        break;
      case 6:
        bytes.copy(bytes, at, place(), place() + 16);
        break;
      default:
        bytes =
          below(4) === 0
            ? bytes.subarray(0, at)
            : Buffer.concat([
                bytes.subarray(0, at),
                Buffer.from([below(256)]),
                bytes.subarray(at + 1),
              ]);
    }
  }
  return bytes;
}

export interface MutationCounts {
  read: number;
  refused: Record<string, number>;
  slowestMs: number;
}

const allowedCodes = ['checkpoint-format', 'checkpoint-forbidden', 'checkpoint-module'];

/**
 * Reads `count` mutations of a parser's seed files from `path`; `open` is called for those that are
 * valid.
 * @throws what is neither a result nor a coded error, with the mutation's number.
 */
export async function readMutations(
  parser: Parser,
  {
    count,
    path,
    seed = 1,
    open,
  }: {
    count: number;
    path: string;
    seed?: number;
    open?: (checkpoint: Awaited<ReturnType<typeof readCheckpoint>>) => void;
  },
): Promise<MutationCounts> {
  const originals = seeds[parser].map((name) => readFileSync(fixture(name)));
  const random = randomBits(seed);
  const counts: MutationCounts = { read: 0, refused: {}, slowestMs: 0 };
  for (let i = 0; i < count; i++) {
    writeFileSync(path, mutated(originals[i % originals.length]!, random));
    const from = performance.now();
    try {
      const checkpoint = await readCheckpoint(path);
      open?.(checkpoint);
      counts.read += 1;
    } catch (error) {
      if (!(error instanceof SaeEvalError) || !allowedCodes.includes(error.code))
        throw new Error(`mutation ${i} of ${parser}, seed ${seed}`, { cause: error });
      counts.refused[error.code] = (counts.refused[error.code] ?? 0) + 1;
    }
    counts.slowestMs = Math.max(counts.slowestMs, performance.now() - from);
  }
  return counts;
}
