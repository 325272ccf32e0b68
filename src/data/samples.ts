/**
 * Opens a data set as batches of samples, as the evaluation protocols define them: files → bytes →
 * lines → records → chunks → token ids → samples. The next batch is read and tokenized while the
 * caller computes on the current one.
 */
import { SaeEvalError } from '../errors.js';
import { exampleOf, skippedClause, type ChatRole } from '../schema/index.js';
import type { ChatTemplate } from '../lm/chat-template.js';
import type { Tokenizer } from '../lm/tokenizer.js';
import type { Sample } from './assembly.js';
import type { PrependBos } from './bos.js';
import { ChatTokens } from './chat/tokens.js';
import { readBatches, type SampleSummary } from './batches.js';
import { listFiles } from './files.js';
import { readPieces, type Chunking, type PieceSource } from './pieces.js';
import { SkippedRecords } from './skipped.js';
import { Vocabulary } from './vocabulary.js';

/** Batches of consecutive samples. The last may be smaller. Can be iterated once. */
export interface SampleStream extends AsyncIterable<Sample[]> {
  /** Summary of the batches so far, those of `skipBatches` included. */
  readonly summary: SampleSummary;
  /**
   * Number of samples in the data set, at most `maxSamples`; null if it would take too long to
   * count them.
   */
  readonly total: number | null;
}

export interface SampleOptions {
  /** Path of a file or folder with text, see docs/reference/data.md. */
  path: string;
  /** The path as errors call it; default: the path itself. */
  name?: string;
  /** Split whose files are read, of a data set with several. */
  split?: string | undefined;
  /** Name of the field with the text, or a dotted path to it. Default `text`. */
  textField?: string;
  /** Name of the field with token ids, which are used as they are, instead of a text. */
  tokensField?: string | undefined;
  /** Name of the field with messages, which the chat template renders, instead of a text. */
  messagesField?: string | undefined;
  /** Roles whose tokens count; default: all tokens do. */
  roles?: readonly ChatRole[] | undefined;
  /** The model's chat template; required with `messagesField`. */
  template?: ChatTemplate | null;
  /** Default `words`; of messages, `document`. */
  chunking?: Chunking | undefined;
  /** Seed with which the chunks are shuffled (the records, if chunking is not `words`). */
  shuffle?: number | undefined;
  /** Default 10000. */
  maxSamples?: number;
  /** Number of words per chunk and of tokens per sample, T. */
  seqLen: number;
  /** Default 64. */
  batchSize?: number;
  tokenizer: Tokenizer;
  /**
   * Number of rows of the model's embedding. Records with another token are skipped. Default the
   * tokenizer's number of tokens.
   */
  vocabulary?: number;
  /** BOS at the head of each text; default: the tokenizer's own way. */
  prependBos?: PrependBos;
  /** Number of batches to read and count without handing them out, for a run that continues. */
  skipBatches?: number;
}

/** Number of bytes that may be read in advance to count the samples. */
const countingBudget = 64 * 2 ** 20;

/**
 * Number of samples, at most `maxSamples`; null if counting takes more bytes than the budget, or
 * tokens would have to be counted.
 */
async function countSamples(source: PieceSource, maxSamples: number): Promise<number | null> {
  if (source.chunking === 'packed' || source.chunking === 'saelens') return null;
  let bytes = 0;
  let count = 0;
  for await (const _ of readPieces(source, {
    skipped: new SkippedRecords(),
    tokenizes: false,
    onBytes: (read) => (bytes += read),
  })) {
    if (++count === maxSamples) break;
    if (bytes > countingBudget) return null;
  }
  return count;
}

/** Runs a generator one step ahead of its reader. */
async function* ahead<T>(
  source: AsyncGenerator<T, void, undefined>,
  atEnd: () => Promise<void>,
): AsyncGenerator<T, void, undefined> {
  try {
    let next = source.next();
    for (;;) {
      const { value, done } = await next;
      if (done === true) return;
      next = source.next();
      // An error is thrown when the step is awaited, or lost if the reader stops before.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    await source.return();
    await atEnd();
  }
}

/** The error of messages for a model without a chat template. */
function noTemplate(name: string): SaeEvalError {
  return new SaeEvalError(
    'tokenizer-invalid',
    `${name}: messages need the chat template of the model, which has none.`,
  );
}

function noSample(
  { name, textField, files, tokensField, messagesField = null }: PieceSource & { name: string },
  found: SampleSummary | null,
): SaeEvalError {
  const expected =
    files[0]!.format === 'text'
      ? 'Expected text in UTF-8.'
      : 'Expected JSON objects, as lines or in a list, with ' +
        (messagesField !== null
          ? `a list of messages { role, content } in the field \`${messagesField}\``
          : tokensField === null
            ? `a non-blank string in the field \`${textField}\``
            : `a list of token ids in the field \`${tokensField}\``) +
        '.';
  const reasons = (found?.skipped ?? [])
    .map((one) => ` ${skippedClause(one).en} (first: ${exampleOf(one).en}).`)
    .join('');
  return new SaeEvalError(
    'dataset-invalid',
    `${name}: no usable sample in ${files.length} file${files.length === 1 ? '' : 's'} ` +
      `(${found?.skippedRecords ?? 0} records skipped). ${expected}${reasons}`,
  );
}

/**
 * Opens a data set: lists its files and makes the first batch.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `dataset-invalid` if there is no usable
 *   sample.
 */
export async function openSamples(options: SampleOptions): Promise<SampleStream> {
  const {
    path,
    name = path,
    split = null,
    textField = 'text',
    tokensField = null,
    messagesField = null,
    roles = null,
    template = null,
    chunking = messagesField === null ? 'words' : 'document',
    shuffle = null,
    maxSamples = 10_000,
    seqLen,
    batchSize = 64,
    tokenizer,
    vocabulary = tokenizer.vocabulary,
    prependBos,
    skipBatches = 0,
  } = options;
  if (messagesField !== null && template === null) throw noTemplate(name);
  const source: PieceSource = {
    folder: path,
    files: await listFiles(path, { split }),
    textField,
    tokensField,
    messagesField,
    chunking,
    seqLen,
    vocabulary: new Vocabulary(tokenizer, vocabulary),
  };
  let total = await countSamples(source, maxSamples);
  const chat =
    messagesField === null || template === null
      ? null
      : new ChatTokens({ template, tokenizer, roles });
  const batches = ahead(
    readBatches(source, { tokenizer, prependBos, batchSize, maxSamples, shuffle, chat }),
    async () => chat?.close(),
  );

  const first = await batches.next();
  if (first.done === true || first.value.samples.length === 0) {
    await batches.return();
    throw noSample({ name, ...source }, first.done === true ? null : first.value.summary);
  }

  let summary: SampleSummary = {
    samples: 0,
    records: 0,
    skippedRecords: 0,
    truncatedTokens: 0,
    warnings: [],
    skipped: [],
  };
  async function* iterate(): AsyncGenerator<Sample[], void, undefined> {
    let index = 0;
    try {
      for (let step = first; step.done !== true; step = await batches.next()) {
        summary = step.value.summary;
        if (index++ < skipBatches || step.value.samples.length === 0) continue;
        yield step.value.samples;
      }
      total = summary.samples;
    } finally {
      await batches.return();
    }
  }
  const iterator = iterate();
  return {
    get summary() {
      return summary;
    },
    get total() {
      return total;
    },
    [Symbol.asyncIterator]: () => iterator,
  };
}
