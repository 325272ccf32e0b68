/** Cuts files into pieces that are tokenized as one: chunks of words, or whole records. */
import { SaeEvalError } from '../errors.js';
import { conversationIn, type Conversation } from './chat/conversation.js';
import { chunk, Chunker } from './chunks.js';
import type { DataFile } from './data-file.js';
import { readItems } from './json-items.js';
import { layoutOf } from './json-layout.js';
import { readLines } from './lines.js';
import { readParquetColumn } from './parquet.js';
import { recordsOf, textIn, tokensIn, type DataRecord } from './records.js';
import type { Place, SkippedRecords } from './skipped.js';
import type { Vocabulary } from './vocabulary.js';

/**
 * Way from records to samples. `words`: the chunks of the evaluation protocols, `seqLen` words
 * each. `document`: a record is a sample, cut to `seqLen` tokens. `packed`: the tokens of all
 * records one after the other, `seqLen` at a time; nothing is cut, and only the last sample is
 * padded. `saelens`: the same as SAELens does it.
 */
export type Chunking = 'words' | 'document' | 'packed' | 'saelens';

export interface PieceSource {
  /** Path of the data set, below which examples name their files. */
  folder?: string;
  files: readonly DataFile[];
  /** Name of the field with the text, or a dotted path to it. */
  textField: string;
  /** Name of the field with token ids, which is read instead of `textField`; null for none. */
  tokensField: string | null;
  /**
   * Name of the field with messages, which is read instead of `textField`; null, the default, for
   * none.
   */
  messagesField?: string | null;
  chunking: Chunking;
  seqLen: number;
  /** Records with another token are skipped. */
  vocabulary: Vocabulary;
}

export interface Piece {
  /** Text to be tokenized, token ids, or messages to be rendered. */
  content: string | readonly number[] | Conversation;
  /** Place of the record that it comes from. */
  place: Place;
}

export interface ReadOptions {
  /** Counts of the skipped records, which reading increases. */
  skipped: SkippedRecords;
  /** Whether texts may be tokenized, to find those with unknown tokens. Default true. */
  tokenizes?: boolean;
  /** Called with the number of bytes read. */
  onBytes?: (count: number) => void;
}

/** Longest text file that is read as one document, in characters. */
const longestDocument = 256 * 2 ** 20;

/** Pieces of a text file, which is one record whose lines end between words. */
async function* textPieces(
  file: DataFile,
  { chunking, seqLen }: PieceSource,
  { skipped, onBytes }: ReadOptions,
): AsyncGenerator<Piece, void, undefined> {
  const place: Place = { file: file.path, unit: 'file', number: 1 };
  const chunker = new Chunker(seqLen);
  const whole: string[] = [];
  let characters = 0;
  let number = 0;
  let chunks = 0;
  const counted = function* (contents: Iterable<string>): Generator<Piece, void, undefined> {
    for (const content of contents) {
      chunks++;
      yield { content, place };
    }
  };
  skipped.records++;
  for await (const line of readLines(file, onBytes === undefined ? {} : { onBytes })) {
    number++;
    if (typeof line !== 'string') {
      skipped.records++;
      skipped.add(line.reason, { ...place, unit: 'line', number }, line.begin);
    } else if (chunking === 'words') yield* counted(chunker.push(line));
    else {
      characters += line.length + 1;
      if (characters > longestDocument)
        throw new SaeEvalError(
          'dataset-invalid',
          `${file.path}: a text taken as one document may have ${longestDocument} ` +
            'characters at most, found more. Use chunking "words", or a .jsonl file with a ' +
            'record per document.',
        );
      whole.push(line);
    }
  }
  if (chunking === 'words') yield* counted(chunker.end());
  else {
    const text = whole.join('\n');
    if (text.trim() !== '') yield* counted([text]);
  }
  if (chunks === 0) skipped.add('blank', place, '');
}

/** Rows of a parquet file as records. */
async function* rowsOf(
  file: string,
  rows: AsyncIterable<unknown>,
): AsyncGenerator<DataRecord, void, undefined> {
  let number = 0;
  for await (const value of rows)
    yield { value, place: { file, unit: 'row', number: ++number }, source: null };
}

export type FieldsOfRecords = Pick<PieceSource, 'textField' | 'tokensField' | 'messagesField'>;

/** Name of the field that is read. */
export function fieldRead({ textField, tokensField, messagesField }: FieldsOfRecords): string {
  return messagesField ?? tokensField ?? textField;
}

/** Records of a file: its lines, the items of its list, or the rows of its column. */
export async function* readRecords(
  file: DataFile,
  fields: FieldsOfRecords,
  { skipped, onBytes }: ReadOptions,
): AsyncGenerator<DataRecord, void, undefined> {
  const options = onBytes === undefined ? {} : { onBytes };
  const field = fieldRead(fields);
  if (file.format === 'parquet') {
    yield* rowsOf(file.path, readParquetColumn(file.path, field, options));
    return;
  }
  const layout = await layoutOf(file, field);
  const settings = { file: file.path, field, skipped };
  yield* layout.kind === 'lines'
    ? recordsOf(readLines(file, options), { ...settings, unit: 'line' })
    : recordsOf(readItems(file, layout, options), { ...settings, unit: 'item' });
}

async function* recordPieces(
  file: DataFile,
  source: PieceSource,
  options: ReadOptions,
): AsyncGenerator<Piece, void, undefined> {
  const { textField, tokensField, messagesField = null, chunking, seqLen, vocabulary } = source;
  const { skipped, tokenizes = true } = options;
  for await (const record of readRecords(file, source, options)) {
    const { place } = record;
    if (messagesField !== null) {
      const content = conversationIn(record, messagesField, skipped);
      if (content !== null) yield { content, place };
      continue;
    }
    if (tokensField !== null) {
      const ids = tokensIn(record, tokensField, { vocabulary, skipped });
      if (ids === null) continue;
      if (chunking !== 'words') yield { content: ids, place };
      else
        for (let from = 0; from < ids.length; from += seqLen)
          yield { content: ids.slice(from, from + seqLen), place };
      continue;
    }
    const text = textIn(record, textField, skipped);
    if (text === null) continue;
    const chunks = (): Iterable<string> => (chunking === 'words' ? chunk(text, seqLen) : [text]);
    const outside = tokenizes ? await vocabulary.outsideIn(chunks()) : null;
    if (outside !== null) skipped.add('outside-vocabulary', place, outside);
    else for (const content of chunks()) yield { content, place };
  }
}

/**
 * Pieces of all files, in order.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `dataset-invalid`.
 */
export async function* readPieces(
  source: PieceSource,
  options: ReadOptions,
): AsyncGenerator<Piece, void, undefined> {
  for (const file of source.files) {
    if (file.format === 'text') {
      const field = (source.messagesField ?? null) === null ? 'tokensField' : 'messagesField';
      if (source.tokensField !== null || field === 'messagesField')
        throw new SaeEvalError(
          'dataset-invalid',
          `${file.path}: ${field} needs lines of JSON or parquet, found a text file.`,
        );
      yield* textPieces(file, source, options);
    } else yield* recordPieces(file, source, options);
  }
}
