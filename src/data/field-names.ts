/** Checks, before anything is computed, that records have the field that a request reads. */
import { SaeEvalError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';
import type { DataFile } from './data-file.js';
import { listFiles } from './files.js';
import { fieldRead, readRecords, type FieldsOfRecords } from './pieces.js';
import { valueAt } from './records.js';
import { SkippedRecords } from './skipped.js';

export interface FieldOptions {
  split?: string | undefined;
  textField: string;
  tokensField?: string | undefined;
  messagesField?: string | undefined;
}

/** Records of a file, and files, that are looked at. */
const mostRecords = 20;
const mostFiles = 64;
/** Names of fields that are told. */
const mostNames = 12;

const sourceOf = ({ textField, tokensField, messagesField }: FieldOptions): FieldsOfRecords => ({
  textField,
  tokensField: tokensField ?? null,
  messagesField: messagesField ?? null,
});

/** Names of the fields of the first records; null if one has the field, or none is an object. */
async function fieldsInstead(file: DataFile, options: FieldOptions): Promise<string[] | null> {
  const source = sourceOf(options);
  const field = fieldRead(source);
  const names = new Set<string>();
  let records = 0;
  for await (const { value } of readRecords(file, source, { skipped: new SkippedRecords() })) {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) continue;
    if (valueAt(value, field) !== undefined) return null;
    for (const name of Object.keys(value)) names.add(name);
    if (++records === mostRecords) break;
  }
  return records === 0 ? null : [...names];
}

/**
 * Checks that the first records of a data set have the field of the text, or of the token ids.
 * Text files have no fields; columns of parquet files are checked when they are read.
 * @throws SaeEvalError `dataset-invalid` naming the fields that are there; as `listFiles`.
 */
export async function checkField(path: string, options: FieldOptions): Promise<void> {
  const { split = null, tokensField, messagesField } = options;
  const files = await listFiles(path, { split });
  const names = new Set<string>();
  for (const file of files.slice(0, mostFiles)) {
    if (file.format === 'text' || file.format === 'parquet') return;
    const there = await fieldsInstead(file, options);
    if (there === null) return;
    for (const name of there) names.add(name);
  }
  const setting =
    messagesField !== undefined
      ? 'messagesField'
      : tokensField !== undefined
        ? 'tokensField'
        : 'textField';
  const field = fieldRead(sourceOf(options));
  const shown = [...names].slice(0, mostNames).map((name) => `\`${name.slice(0, 100)}\``);
  const message =
    `the records have no field \`${field}\`; they have ` +
    (shown.length === 0 ? 'none' : shown.join(', ')) +
    (names.size > mostNames ? ` and ${names.size - mostNames} more` : '') +
    (setting === 'textField' && names.has('messages')
      ? '; conversations are read by messagesField: messages'
      : didYouMean(field, names));
  throw new SaeEvalError('dataset-invalid', message, { fields: [{ path: setting, message }] });
}
