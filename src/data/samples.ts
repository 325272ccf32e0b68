/**
 * From files to batches of samples, as the evaluation protocols have it: files → lines → records → chunks → samples.
 * The next batch is read and tokenized while the caller computes on the current one.
 */
import { SaeEvalError } from '../errors.js';
import type { Bilingual } from '../evaluation/schema/index.js';
import type { Tokenizer } from '../lm/tokenizer.js';
import { chunk } from './chunks.js';
import { listFiles } from './files.js';
import { readLines } from './lines.js';
import { SkippedRecords, textOf } from './records.js';

export interface Sample {
  /** T ids, padded on the right. */
  ids: Int32Array;
  /** Real tokens. */
  length: number;
  /** Tokens the chunk lost to truncation. */
  truncated: number;
}

export interface SampleSummary {
  samples: number;
  /** Lines that gave no text, blank and missing texts included; `warnings` names the faulty ones. */
  skippedRecords: number;
  truncatedTokens: number;
  warnings: Bilingual[];
}

/** Batches of consecutive samples; the last may be smaller. Can be iterated once. */
export interface SampleStream extends AsyncIterable<Sample[]> {
  /** Of the batches handed out (and those passed over by `skipBatches`). */
  readonly summary: SampleSummary;
  /** Samples of the whole data set, at most `maxSamples`; null where counting them first would take too long. */
  readonly total: number | null;
}

export interface SampleOptions {
  /** A `.jsonl` file or a folder of them. */
  path: string;
  textField?: string;
  maxSamples?: number;
  /** T: words per chunk, and tokens per sample. */
  seqLen: number;
  batchSize?: number;
  tokenizer: Tokenizer;
  /** Batches that are read and counted, but not handed out: a run that continues. */
  skipBatches?: number;
}

/** Text read in advance, to know how many samples there will be. */
const countingBudget = 64 * 2 ** 20;

type Source = Required<Pick<SampleOptions, 'path' | 'textField' | 'maxSamples' | 'seqLen'>> & { files: readonly string[] };

async function* readChunks({ files, textField, seqLen }: Source, skipped: SkippedRecords, onBytes?: (count: number) => void): AsyncGenerator<string, void, undefined> {
  for (const file of files) {
    for await (const line of readLines(file, onBytes === undefined ? {} : { onBytes })) {
      const text = textOf(line, textField, skipped);
      if (text !== null) yield* chunk(text, seqLen);
    }
  }
}

/** Chunks up to `maxSamples`; null where more than the budget would have to be read. */
async function countChunks(source: Source): Promise<number | null> {
  let bytes = 0;
  let count = 0;
  for await (const _ of readChunks(source, new SkippedRecords(), (read) => (bytes += read))) {
    if (++count === source.maxSamples) break;
    if (bytes > countingBudget) return null;
  }
  return count;
}

/** Ids cut to `seqLen` and padded to it. */
function sampleOf(ids: readonly number[], seqLen: number, tokenizer: Tokenizer): Sample {
  const kept = ids.length > seqLen ? tokenizer.truncate(ids, seqLen) : ids;
  const padded = new Int32Array(seqLen).fill(tokenizer.padId);
  padded.set(kept);
  return { ids: padded, length: kept.length, truncated: ids.length - kept.length };
}

interface Batch {
  samples: Sample[];
  summary: SampleSummary;
}

async function* readBatches(source: Source, { tokenizer, batchSize }: { tokenizer: Tokenizer; batchSize: number }): AsyncGenerator<Batch, void, undefined> {
  const skipped = new SkippedRecords();
  let samples = 0;
  let truncatedTokens = 0;
  let withoutTokens = 0;
  let waiting: Sample[] = [];

  const handOut = (count: number): Batch => {
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    samples += batch.length;
    truncatedTokens += batch.reduce((sum, { truncated }) => sum + truncated, 0);
    const warnings = skipped.warnings(source.textField);
    if (withoutTokens > 0) {
      warnings.push({ en: `${withoutTokens} chunks were skipped: the tokenizer makes no token of them.`, zh: `跳过 ${withoutTokens} 个片段：分词器没有产生任何词元。` });
    }
    return { samples: batch, summary: { samples, skippedRecords: skipped.total, truncatedTokens, warnings } };
  };
  const tokenize = async (texts: string[]): Promise<void> => {
    for (const ids of await tokenizer.encodeBatch(texts)) {
      if (ids.length === 0) withoutTokens++;
      else waiting.push(sampleOf(ids, source.seqLen, tokenizer));
    }
  };

  let texts: string[] = [];
  let enough = false;
  for await (const text of readChunks(source, skipped)) {
    texts.push(text);
    const room = Math.min(batchSize, source.maxSamples - samples);
    if (waiting.length + texts.length < room) continue;
    await tokenize(texts);
    texts = [];
    if (waiting.length < room) continue;
    yield handOut(room);
    enough = samples >= source.maxSamples;
    if (enough) break;
  }
  if (!enough) {
    await tokenize(texts);
    // An empty last batch still brings what was skipped since the one before.
    yield handOut(waiting.length);
  }
}

/** Runs a generator one step ahead of its reader. */
async function* ahead<T>(source: AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  try {
    let next = source.next();
    for (;;) {
      const { value, done } = await next;
      if (done === true) return;
      next = source.next();
      // Reported when it is awaited, or not at all where the reader stops first.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    await source.return();
  }
}

/**
 * Opens a data set: lists its files and makes the first batch.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `dataset-invalid` where there is no usable sample.
 */
export async function openSamples(options: SampleOptions): Promise<SampleStream> {
  const { path, textField = 'text', maxSamples = 10_000, seqLen, batchSize = 64, tokenizer, skipBatches = 0 } = options;
  const source: Source = { path, textField, maxSamples, seqLen, files: await listFiles(path) };
  const batches = ahead(readBatches(source, { tokenizer, batchSize }));
  let summary: SampleSummary = { samples: 0, skippedRecords: 0, truncatedTokens: 0, warnings: [] };
  let total = await countChunks(source);

  const first = await batches.next();
  if (first.done === true || first.value.samples.length === 0) {
    await batches.return();
    const found = first.done === true ? null : first.value.summary;
    const reasons = found?.warnings.map(({ en }) => ` ${en}`).join('') ?? '';
    throw new SaeEvalError(
      'dataset-invalid',
      `${path}: no usable sample in ${source.files.length} file${source.files.length === 1 ? '' : 's'} (${found?.skippedRecords ?? 0} records skipped). Expected lines of JSON objects with a non-blank string in the field \`${textField}\`.${reasons}`,
    );
  }

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
