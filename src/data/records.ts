/** From lines of JSON to texts, counting what is passed over. */
import type { Bilingual } from '../evaluation/schema/index.js';
import type { Line } from './lines.js';

/** White space as Python's `str.split()` has it; a byte-order mark is none. */
export const whiteSpace = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const blank = new RegExp(`^[${whiteSpace}]*$`);

/** Records that gave no text, by reason. */
export class SkippedRecords {
  /** The text is missing, empty or white space: nothing is wrong with the file. */
  blank = 0;
  /** Not UTF-8, not JSON or too long. */
  notJson = 0;
  notAnObject = 0;
  notAString = 0;

  get total(): number {
    return this.blank + this.notJson + this.notAnObject + this.notAString;
  }

  warnings(textField: string): Bilingual[] {
    const warnings: Bilingual[] = [];
    const add = (count: number, en: string, zh: string): void => {
      if (count > 0) warnings.push({ en: `${count} ${count === 1 ? 'line was' : 'lines were'} skipped: ${en}.`, zh: `跳过 ${count} 行：${zh}。` });
    };
    add(this.notJson, 'not JSON', '不是 JSON');
    add(this.notAnObject, 'not a JSON object', '不是 JSON 对象');
    add(this.notAString, `the field \`${textField}\` is not a string`, `字段 \`${textField}\` 不是字符串`);
    return warnings;
  }
}

/** The text of a line's record, or null where there is none; empty lines are no records and are not counted. */
export function textOf(line: Line, textField: string, skipped: SkippedRecords): string | null {
  if (line !== null && blank.test(line)) return null;
  let record: unknown;
  try {
    if (line === null) throw new SyntaxError();
    record = JSON.parse(line);
  } catch {
    skipped.notJson++;
    return null;
  }
  if (record === null || typeof record !== 'object' || Array.isArray(record)) {
    skipped.notAnObject++;
    return null;
  }
  const text: unknown = Object.hasOwn(record, textField) ? (record as Record<string, unknown>)[textField] : undefined;
  if (text !== undefined && typeof text !== 'string') {
    skipped.notAString++;
    return null;
  }
  if (text === undefined || blank.test(text)) {
    skipped.blank++;
    return null;
  }
  return text;
}
