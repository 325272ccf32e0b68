/** Reads texts or token ids from records, and counts the records that are skipped. */
import type { Bilingual } from '../schema/index.js';
import type { Line } from './lines.js';

/** White space of Python's `str.split()`, for a character class. U+FEFF does not belong to it. */
export const whiteSpace =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const blank = new RegExp(`^[${whiteSpace}]*$`);

/** Numbers of skipped records by reason. */
export class SkippedRecords {
  /** Missing, empty or blank, which is no fault of the file. */
  blank = 0;
  /** Line that is not UTF-8, not JSON or too long. */
  notJson = 0;
  /** Line of a text file that is not UTF-8 or too long. */
  notText = 0;
  notAnObject = 0;
  /** Field that holds something other than a string. */
  notAString = 0;
  /** Field that holds something other than a list of token ids of the vocabulary. */
  notTokens = 0;

  get total(): number {
    return (
      this.blank + this.notJson + this.notText + this.notAnObject + this.notAString + this.notTokens
    );
  }

  /** One sentence for each fault. */
  warnings(field: string): Bilingual[] {
    const warnings: Bilingual[] = [];
    const add = (count: number, en: string, zh: string): void => {
      if (count > 0)
        warnings.push({
          en: `${count} ${count === 1 ? 'line was' : 'lines were'} skipped: ${en}.`,
          zh: `跳过 ${count} 行：${zh}。`,
        });
    };
    add(this.notJson, 'not JSON', '不是 JSON');
    add(this.notText, 'not UTF-8 text', '不是 UTF-8 文本');
    add(this.notAnObject, 'not a JSON object', '不是 JSON 对象');
    add(this.notAString, `the field \`${field}\` is not a string`, `字段 \`${field}\` 不是字符串`);
    add(
      this.notTokens,
      `the field \`${field}\` is not a list of token ids`,
      `字段 \`${field}\` 不是词元编号列表`,
    );
    return warnings;
  }
}

/**
 * Value of a field: under that very name, or else along its dotted path through objects and lists;
 * undefined if it is missing.
 */
function valueAt(record: object, field: string): unknown {
  if (Object.hasOwn(record, field)) return (record as Record<string, unknown>)[field];
  let value: unknown = record;
  for (const part of field.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** Record of a line; undefined if it has none. Blank lines do not count as skipped. */
function recordOf(line: Line, skipped: SkippedRecords): unknown {
  if (line !== null && blank.test(line)) return undefined;
  try {
    if (line === null) throw new SyntaxError();
    return JSON.parse(line);
  } catch {
    skipped.notJson++;
    return undefined;
  }
}

/** Field of a record; undefined if the record is not an object or lacks the field. */
function fieldOf(record: unknown, field: string, skipped: SkippedRecords): unknown {
  if (record === undefined) return undefined;
  if (record === null || typeof record !== 'object' || Array.isArray(record)) {
    skipped.notAnObject++;
    return undefined;
  }
  const value = valueAt(record, field);
  if (value === undefined) skipped.blank++;
  return value;
}

/** Text of a record; null if the record is skipped. */
export function textIn(record: unknown, field: string, skipped: SkippedRecords): string | null {
  const text = fieldOf(record, field, skipped);
  if (text === undefined) return null;
  if (typeof text !== 'string') {
    skipped.notAString++;
    return null;
  }
  if (blank.test(text)) {
    skipped.blank++;
    return null;
  }
  return text;
}

/** Token ids of a record, each below `vocabulary`; null if the record is skipped. */
export function tokensIn(
  record: unknown,
  field: string,
  { vocabulary, skipped }: { vocabulary: number; skipped: SkippedRecords },
): number[] | null {
  const ids = fieldOf(record, field, skipped);
  if (ids === undefined) return null;
  const numbers =
    Array.isArray(ids) || ArrayBuffer.isView(ids)
      ? Array.from(ids as Iterable<unknown>, (id) => (typeof id === 'bigint' ? Number(id) : id))
      : null;
  if (
    numbers === null ||
    !numbers.every(
      (id) => Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabulary,
    )
  ) {
    skipped.notTokens++;
    return null;
  }
  if (numbers.length === 0) {
    skipped.blank++;
    return null;
  }
  return numbers as number[];
}

/** Records of lines. Lines that are not JSON are skipped. */
export async function* recordsOf(
  lines: AsyncIterable<Line>,
  skipped: SkippedRecords,
): AsyncGenerator<unknown, void, undefined> {
  for await (const line of lines) {
    const record = recordOf(line, skipped);
    if (record !== undefined) yield record;
  }
}
