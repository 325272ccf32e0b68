/** Tokenizes pieces and makes batches of samples, with counts of what was skipped or cut off. */
import type { Bilingual, Skipped } from '../schema/index.js';
import type { Tokenizer } from '../lm/tokenizer.js';
import { Assembly, type PieceTokens, type Sample } from './assembly.js';
import { bosSetter, type PrependBos } from './bos.js';
import type { ChatTokens, NoTokens } from './chat/tokens.js';
import type { Conversation } from './chat/conversation.js';
import { fieldRead, readPieces, type Piece, type PieceSource } from './pieces.js';
import { shuffled } from './shuffle.js';
import { SkippedRecords } from './skipped.js';
import { WaitingSamples } from './waiting-samples.js';

export interface SampleSummary {
  samples: number;
  /** Number of records read, skipped ones included. */
  records: number;
  /** Number of records without a sample, those with a blank or missing text included. */
  skippedRecords: number;
  /** Number of tokens lost to truncation. */
  truncatedTokens: number;
  /** Sentences about the faulty records, one for each fault. */
  warnings: Bilingual[];
  /** Every reason for which records were skipped. */
  skipped: Skipped[];
}

export interface Batch {
  samples: Sample[];
  /** Summary of this batch and all batches before it. */
  summary: SampleSummary;
}

export interface BatchOptions {
  tokenizer: Tokenizer;
  prependBos?: PrependBos;
  batchSize: number;
  maxSamples: number;
  /** Seed with which the pieces are shuffled; null keeps their order. */
  shuffle: number | null;
  /** Tokens of conversations; null, the default, if the data set has none. */
  chat?: ChatTokens | null;
}

/** Number of characters (or ids) after which pieces are tokenized, even if a batch needs more. */
const tokenizeAtOnce = 4 * 2 ** 20;

const isConversation = (content: Piece['content']): content is Conversation =>
  typeof content !== 'string' && 'messages' in content;

/** Token ids of each piece, in order, or why it has none. */
async function tokenize(
  pieces: readonly Piece[],
  {
    tokenizer,
    chat,
    specials,
  }: { tokenizer: Tokenizer; chat: ChatTokens | null; specials: 'own' | 'none' },
): Promise<(PieceTokens | NoTokens)[]> {
  const contents = pieces.map(({ content }) => content);
  const encoded = await tokenizer.encodeBatch(
    contents.filter((each) => typeof each === 'string'),
    { specials },
  );
  const rendered = (await chat?.of(contents.filter(isConversation))) ?? [];
  let [nextText, nextChat] = [0, 0];
  return contents.map((each) =>
    typeof each === 'string'
      ? { ids: encoded[nextText++]! }
      : isConversation(each)
        ? rendered[nextChat++]!
        : { ids: each },
  );
}

/**
 * Batches of `batchSize` samples until the data or `maxSamples` ends. The last batch is smaller and
 * may be empty.
 */
export async function* readBatches(
  source: PieceSource,
  { tokenizer, prependBos, batchSize, maxSamples, shuffle, chat = null }: BatchOptions,
): AsyncGenerator<Batch, void, undefined> {
  const skipped = new SkippedRecords(source.folder ?? null);
  const field = fieldRead(source);
  const { vocabulary } = source;
  const assembly = new Assembly({ tokenizer, padId: vocabulary.padId, ...source, prependBos });
  // SAELens' contexts bring BOS themselves.
  const isBare = source.chunking === 'saelens';
  const specials = isBare ? 'none' : 'own';
  const withBos = bosSetter(tokenizer, isBare ? undefined : prependBos);
  const waiting = new WaitingSamples();
  let samples = 0;
  let truncatedTokens = 0;

  const handOut = (count: number): Batch => {
    const batch = waiting.take(count);
    samples += batch.length;
    truncatedTokens += batch.reduce((sum, { truncated }) => sum + truncated, 0);
    return {
      samples: batch,
      summary: {
        samples,
        records: skipped.records,
        skippedRecords: skipped.total,
        truncatedTokens,
        warnings: [
          ...skipped.warnings(field),
          ...vocabulary.warnings(),
          ...(chat?.warnings() ?? []),
        ],
        skipped: skipped.list(field),
      },
    };
  };

  let pieces: Piece[] = [];
  let characters = 0;
  const encode = async (): Promise<void> => {
    const tokenized = await tokenize(pieces, { tokenizer, chat, specials });
    for (const [index, found] of tokenized.entries()) {
      const { content, place } = pieces[index]!;
      if ('reason' in found) {
        skipped.add(found.reason, place, found.words);
        continue;
      }
      const own = found.ids.length === 0 ? found : withBos(found);
      const { ids } = own;
      // Ids from a file were looked at when they were read.
      const isRead = typeof content !== 'string' && !isConversation(content);
      const outside = isRead ? null : vocabulary.outside(ids);
      if (ids.length === 0) skipped.add('no-tokens', place, content);
      else if (outside !== null)
        skipped.add(
          isConversation(content) ? 'outside-vocabulary' : 'chunk-outside-vocabulary',
          place,
          outside,
        );
      // One by one: a record of a whole book has more samples than a call has arguments.
      else for (const sample of assembly.push(own)) waiting.add(sample);
    }
    pieces = [];
    characters = 0;
  };

  const read = readPieces(source, { skipped });
  for await (const piece of shuffle === null ? read : shuffled(read, { seed: shuffle })) {
    pieces.push(piece);
    characters += piece.content.length;
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
  for (const sample of assembly.end()) waiting.add(sample);
  while (waiting.length > 0 && samples < maxSamples)
    yield handOut(Math.min(batchSize, maxSamples - samples, waiting.length));
  // Records after the last sample may have been skipped: the summary of an empty batch tells so.
  yield handOut(0);
}
