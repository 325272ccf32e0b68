/** Reads labelled texts: records with a text, a label and perhaps a second one. */
import { SaeEvalError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';
import type { DataFile } from './data-file.js';
import { listFiles } from './files.js';
import { readParquetColumn } from './parquet.js';
import { readRecords } from './pieces.js';
import { valueAt } from './records.js';
import { SkippedRecords } from './skipped.js';

export interface LabelledOptions {
  path: string;
  /** The path as errors call it. */
  name: string;
  split?: string | undefined;
  textField: string;
  labelField: string;
  /** Field of a second label. */
  spuriousField?: string | undefined;
  /** Documents of each label; later ones are passed over. */
  maxPerLabel: number;
}

export interface LabelledTexts {
  /** The labels, in the order of their text. */
  names: string[];
  /** Values of the second label, in the order of their text; empty without one. */
  spuriousNames: string[];
  documents: { text: string; label: number; spurious: number }[];
  /** Records without a usable text or label. */
  skipped: number;
}

/** Most different labels: more are no classes. */
const mostLabels = 100;

/** Most characters of all texts that are kept. */
const mostCharacters = 256 * 2 ** 20;

/** Most records that are looked at. */
const mostRecords = 5_000_000;

/** Label of a value as text; null if it is none. */
function labelIn(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() === '' ? null : value;
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  return typeof value === 'number' && Number.isInteger(value) ? String(value) : null;
}

/** The records of a file, with the fields that are read. */
async function* recordsWith(
  file: DataFile,
  fields: readonly string[],
): AsyncGenerator<object, void, undefined> {
  if (file.format === 'parquet') {
    const columns = fields.map((field) => readParquetColumn(file.path, field));
    try {
      for (;;) {
        const rows = await Promise.all(columns.map((column) => column.next()));
        if (rows.some(({ done }) => done === true)) return;
        yield Object.assign({}, ...rows.map(({ value }) => value as object)) as object;
      }
    } finally {
      await Promise.all(columns.map((column) => column.return()));
    }
  }
  const source = { textField: fields[0]!, tokensField: null };
  for await (const { value } of readRecords(file, source, { skipped: new SkippedRecords() }))
    yield value !== null && typeof value === 'object' ? value : {};
}

/** The error of records of which none has a field. */
function noField(name: string, field: string, seen: ReadonlySet<string>): SaeEvalError {
  const some = [...seen].slice(0, 12).map((one) => `\`${one.slice(0, 100)}\``);
  return new SaeEvalError(
    'dataset-invalid',
    `${name}: no record has a text and a label in the field \`${field}\`; they have ` +
      `${some.join(', ') || 'no fields'}${didYouMean(field, seen)}`,
  );
}

/**
 * The labelled texts of a data set, in the order of its files.
 * @throws SaeEvalError `dataset-invalid` if fewer than two labels have documents, or there are too
 *   many labels or characters; as `listFiles`.
 */
export async function readLabelled({
  path,
  name,
  split = undefined,
  textField,
  labelField,
  spuriousField,
  maxPerLabel,
}: LabelledOptions): Promise<LabelledTexts> {
  const files = await listFiles(path, { split: split ?? null });
  const counts = new Map<string, number>();
  const found: { text: string; label: string; spurious: string }[] = [];
  const spuriousValues = new Set<string>();
  const fields = [textField, labelField, ...(spuriousField === undefined ? [] : [spuriousField])];
  const seen = new Set<string>();
  const refuse = (message: string): never => {
    throw new SaeEvalError('dataset-invalid', `${name}: ${message}`);
  };
  let skipped = 0;
  let characters = 0;
  let records = 0;
  for (const file of files) {
    if (file.format === 'text') refuse('expected records with labels, found a text file');
    for await (const record of recordsWith(file, fields)) {
      if (++records > mostRecords) break;
      const text = valueAt(record, textField);
      const label = labelIn(valueAt(record, labelField));
      const spurious = spuriousField === undefined ? '' : labelIn(valueAt(record, spuriousField));
      if (typeof text !== 'string' || text.trim() === '' || label === null || spurious === null) {
        skipped++;
        if (seen.size < 50) for (const key of Object.keys(record)) seen.add(key);
        continue;
      }
      const count = counts.get(label) ?? 0;
      if (count >= maxPerLabel) continue;
      counts.set(label, count + 1);
      if (counts.size > mostLabels)
        refuse(
          `the field \`${labelField}\` has more than ${mostLabels} different values, which are ` +
            'no classes',
        );
      if ((characters += text.length) > mostCharacters)
        refuse(`the texts have more than ${mostCharacters} characters: lower maxPerLabel`);
      spuriousValues.add(spurious);
      found.push({ text, label, spurious });
    }
  }
  if (found.length === 0) throw noField(name, labelField, seen);
  const names = [...counts.keys()].sort();
  if (names.length < 2)
    refuse(`expected at least two labels, found ${names.length}: \`${names[0]!.slice(0, 100)}\``);
  const spuriousNames = [...spuriousValues].sort();
  if (spuriousField !== undefined && (names.length !== 2 || spuriousNames.length !== 2))
    refuse(
      `expected two values in each of \`${labelField}\` and \`${spuriousField}\`, found ` +
        `${names.length} and ${spuriousNames.length}`,
    );
  return {
    names,
    spuriousNames: spuriousField === undefined ? [] : spuriousNames,
    documents: found.map(({ text, label, spurious }) => ({
      text,
      label: names.indexOf(label),
      spurious: spuriousNames.indexOf(spurious),
    })),
    skipped,
  };
}
