/** Reads texts or token ids from records, and counts the records that are skipped. */
import type { Line } from './lines.js';
import { parseJson } from './python-json.js';
import type { Place, SkippedRecords } from './skipped.js';
import type { Vocabulary } from './vocabulary.js';

/** White space of Python's `str.split()`, for a character class. U+FEFF does not belong to it. */
export const whiteSpace =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const blank = new RegExp(`^[${whiteSpace}]*$`);

/** Record of a file, and its place there. */
export interface DataRecord {
  value: unknown;
  place: Place;
  /** Text that the record was read from; null if it was none. */
  source: string | null;
}

/**
 * Value of a field: under that very name, or else along its dotted path through objects and lists;
 * undefined if it is missing.
 */
export function valueAt(record: object, field: string): unknown {
  if (Object.hasOwn(record, field)) return (record as Record<string, unknown>)[field];
  let value: unknown = record;
  for (const part of field.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/**
 * Value of a field of a record, which is counted; undefined if the record is not an object or lacks
 * the field.
 */
export function fieldOf(record: DataRecord, field: string, skipped: SkippedRecords): unknown {
  const { value, place, source } = record;
  skipped.records++;
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    skipped.add('not-an-object', place, source ?? value);
    return undefined;
  }
  const found = valueAt(value, field);
  if (found === undefined) skipped.add('field-missing', place, source ?? value);
  return found;
}

/** Text of a record; null if the record is skipped. */
export function textIn(record: DataRecord, field: string, skipped: SkippedRecords): string | null {
  const text = fieldOf(record, field, skipped);
  if (text === undefined) return null;
  if (typeof text === 'string' && !blank.test(text)) return text;
  if (typeof text === 'string') skipped.add('blank', record.place, record.source ?? record.value);
  else skipped.add('not-a-string', record.place, text);
  return null;
}

/** Token ids of a record; null if the record is skipped. */
export function tokensIn(
  record: DataRecord,
  field: string,
  { vocabulary, skipped }: { vocabulary: Vocabulary; skipped: SkippedRecords },
): number[] | null {
  const ids = fieldOf(record, field, skipped);
  if (ids === undefined) return null;
  const numbers =
    Array.isArray(ids) || ArrayBuffer.isView(ids)
      ? Array.from(ids as Iterable<unknown>, (id) => (typeof id === 'bigint' ? Number(id) : id))
      : null;
  if (numbers === null || !numbers.every((id) => Number.isInteger(id) && (id as number) >= 0)) {
    skipped.add('not-token-ids', record.place, ids);
    return null;
  }
  if (numbers.length === 0) {
    skipped.add('no-token-ids', record.place, record.source ?? record.value);
    return null;
  }
  const found = numbers as number[];
  const outside = vocabulary.outsideOfBoth(found);
  if (outside === null) return found;
  skipped.add('outside-vocabulary', record.place, outside);
  return null;
}

/**
 * Records of the lines of a file, or of the items of its list. Blank lines are none; those that are
 * not JSON are skipped. An item that is a string is the text, as if under the name of `field`.
 */
export async function* recordsOf(
  lines: AsyncIterable<Line>,
  options: { file: string; unit: 'line' | 'item'; field: string; skipped: SkippedRecords },
): AsyncGenerator<DataRecord, void, undefined> {
  const { file, unit, field, skipped } = options;
  let number = 0;
  for await (const line of lines) {
    const place: Place = { file, unit, number: ++number };
    if (typeof line !== 'string') {
      skipped.records++;
      skipped.add(line.reason === 'too-long' ? 'too-long' : 'not-json', place, line.begin);
      continue;
    }
    if (blank.test(line)) continue;
    let value: unknown;
    try {
      value = parseJson(line);
    } catch {
      skipped.records++;
      skipped.add('not-json', place, line);
      continue;
    }
    if (unit === 'item' && typeof value === 'string') value = { [field]: value };
    yield { value, place, source: line };
  }
}
