/** The text around a position of a run, from a file with the ids of its samples. */
import { rmSync } from 'node:fs';
import type { FileBytes } from '../../checkpoint/file-bytes.js';
import type { Sample } from '../../data/index.js';
import type { LatentContext } from '../../schema/index.js';
import { TokensWriter } from '../shards/tokens-file.js';

/** Tokens of a context before the one on which the latent is active, and after it. */
const tokensBefore = 24;
const tokensAfter = 12;

interface Decoder {
  decode(ids: readonly number[]): string;
}

export interface ContextTextsOptions {
  seqLen: number;
  /** Bytes of a sample in the file. */
  recordBytes: number;
  /** Null if none is at hand: there are then ids and no text. */
  tokenizer: Decoder | null;
}

export type ContextText = Pick<LatentContext, 'tokenId' | 'token' | 'before' | 'after'>;

export class ContextTexts {
  readonly #file: FileBytes;
  readonly #options: ContextTextsOptions;

  constructor(file: FileBytes, options: ContextTextsOptions) {
    this.#file = file;
    this.#options = options;
  }

  /** The token at a position of a sample, and the text around it. */
  at({ sample, position }: { sample: number; position: number }): ContextText {
    const { seqLen, recordBytes, tokenizer } = this.#options;
    const record = this.#file.read(sample * recordBytes, 4 * (seqLen + 1));
    const length = record.readInt32LE(4 * seqLen);
    const from = Math.max(0, position - tokensBefore);
    const to = Math.min(length, position + 1 + tokensAfter);
    const ids = Array.from({ length: to - from }, (_, t) => record.readInt32LE(4 * (from + t)));
    const at = position - from;
    const tokenId = ids[at]!;
    return tokenizer === null
      ? { tokenId, token: null, before: null, after: null }
      : { tokenId, ...parted(ids, at, tokenizer) };
  }
}

/** The text of ids in three parts: before the id at `at`, its own, and after it. */
function parted(
  ids: readonly number[],
  at: number,
  tokenizer: Decoder,
): Record<'before' | 'token' | 'after', string> {
  const before = tokenizer.decode(ids.slice(0, at));
  const through = tokenizer.decode(ids.slice(0, at + 1));
  const whole = tokenizer.decode(ids);
  // Spaces at the seams stay, which decoders drop at the beginning of a text.
  if (through.startsWith(before) && whole.startsWith(through))
    return {
      before,
      token: through.slice(before.length),
      after: whole.slice(through.length),
    };
  // The token is a part of a character.
  const [token, after] = [ids.slice(at, at + 1), ids.slice(at + 1)].map((part) =>
    tokenizer.decode(part),
  ) as [string, string];
  return { before, token, after };
}

/** Writes the ids of a run's first samples to a file, and says how large a sample is in it. */
export async function writeTokens(
  path: string,
  {
    batches,
    samples,
    seqLen,
    signal,
  }: {
    batches: AsyncIterable<readonly Sample[]>;
    samples: number;
    seqLen: number;
    signal?: AbortSignal | undefined;
  },
): Promise<{ recordBytes: number }> {
  const part = `${path}.part`;
  try {
    const writer = new TokensWriter(path, { seqLen, hasRoles: false, part });
    for await (const batch of batches) {
      signal?.throwIfAborted();
      const left = samples - writer.samples;
      writer.batch(
        batch.slice(0, left).map(({ ids, length, truncated }) => ({ ids, length, truncated })),
      );
      if (writer.samples >= samples) break;
    }
    writer.finish();
    return { recordBytes: writer.recordBytes };
  } catch (thrown) {
    rmSync(part, { force: true });
    throw thrown;
  }
}
