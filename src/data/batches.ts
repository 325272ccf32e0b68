/**
 * Pieces tokenized together and handed out as batches of samples, with an account of what was lost
 * on the way.
 */
import type { Bilingual } from '../schema/index.js';
import type { Tokenizer } from '../lm/tokenizer.js';
import { Assembly, type Sample } from './assembly.js';
import { readPieces, type Piece, type PieceSource } from './pieces.js';
import { SkippedRecords } from './records.js';
import { shuffled } from './shuffle.js';

export interface SampleSummary {
  samples: number;
  /**
   * Lines that gave nothing, blank and missing texts included; `warnings` names the faulty ones.
   */
  skippedRecords: number;
  truncatedTokens: number;
  warnings: Bilingual[];
}

export interface Batch {
  samples: Sample[];
  /** Of this batch and all before it. */
  summary: SampleSummary;
}

export interface BatchOptions {
  tokenizer: Tokenizer;
  batchSize: number;
  maxSamples: number;
  /** Seed of a shuffle of the pieces; null keeps their order. */
  shuffle: number | null;
}

/** Characters (or ids) that are tokenized in one go, whatever the batch still needs. */
const tokenizeAtOnce = 4 * 2 ** 20;

/** Ids of pieces, in order. */
async function tokenize(
  pieces: readonly Piece[],
  tokenizer: Tokenizer,
): Promise<(readonly number[])[]> {
  const texts = pieces.filter((piece) => typeof piece === 'string');
  const encoded = await tokenizer.encodeBatch(texts);
  let next = 0;
  return pieces.map((piece) => (typeof piece === 'string' ? encoded[next++]! : piece));
}

/**
 * Batches of `batchSize` samples until the data or `maxSamples` ends; the last is smaller, perhaps
 * empty.
 */
export async function* readBatches(
  source: PieceSource,
  { tokenizer, batchSize, maxSamples, shuffle }: BatchOptions,
): AsyncGenerator<Batch, void, undefined> {
  const skipped = new SkippedRecords();
  const assembly = new Assembly({ tokenizer, ...source });
  const waiting: Sample[] = [];
  let samples = 0;
  let truncatedTokens = 0;
  let withoutTokens = 0;

  const handOut = (count: number): Batch => {
    const batch = waiting.splice(0, count);
    samples += batch.length;
    truncatedTokens += batch.reduce((sum, { truncated }) => sum + truncated, 0);
    const warnings = skipped.warnings(source.tokensField ?? source.textField);
    if (withoutTokens > 0) {
      warnings.push({
        en: `${withoutTokens} texts were skipped: the tokenizer makes no token of them.`,
        zh: `跳过 ${withoutTokens} 段文本：分词器没有产生任何词元。`,
      });
    }
    return {
      samples: batch,
      summary: { samples, skippedRecords: skipped.total, truncatedTokens, warnings },
    };
  };

  let pieces: Piece[] = [];
  let characters = 0;
  const encode = async (): Promise<void> => {
    for (const ids of await tokenize(pieces, tokenizer)) {
      if (ids.length === 0) withoutTokens++;
      else waiting.push(...assembly.push(ids));
    }
    pieces = [];
    characters = 0;
  };

  const read = readPieces(source, { skipped });
  for await (const piece of shuffle === null ? read : shuffled(read, { seed: shuffle })) {
    pieces.push(piece);
    characters += piece.length;
    if (
      waiting.length + pieces.length < Math.min(batchSize, maxSamples - samples) &&
      characters < tokenizeAtOnce
    )
      continue;
    await encode();
    for (
      let room = Math.min(batchSize, maxSamples - samples);
      waiting.length >= room;
      room = Math.min(batchSize, maxSamples - samples)
    ) {
      yield handOut(room);
      if (samples >= maxSamples) return;
    }
  }
  await encode();
  waiting.push(...assembly.end());
  while (waiting.length > 0 && samples < maxSamples)
    yield handOut(Math.min(batchSize, maxSamples - samples, waiting.length));
  // What was skipped after the last sample is told all the same.
  yield handOut(0);
}
