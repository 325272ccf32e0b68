/** Conversations in records: lists of messages `{ role, content }`. */
import { fieldOf, type DataRecord } from '../records.js';
import type { SkippedRecords } from '../skipped.js';
import { chatRoles, type ChatRole } from '../../schema/index.js';

/** A message. Fields beside role and content go to the template as they are. */
export interface Message {
  role: ChatRole;
  /** A text, or a list of parts `{ type: 'text', text }`. */
  content: string | { type: 'text'; text: string }[];
  [other: string]: unknown;
}

export interface Conversation {
  messages: Message[];
  /** Number of characters, about. */
  length: number;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const isText = (part: unknown): boolean =>
  isObject(part) && part['type'] === 'text' && typeof part['text'] === 'string';

/** Values as JSON has them; a column of parquet has null for every field that a message lacks. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, one]) =>
      one === null || one === undefined ? [] : [[name, plain(one)]],
    ),
  );
}

/** Conversation of a record; null if the record is skipped. */
export function conversationIn(
  record: DataRecord,
  field: string,
  skipped: SkippedRecords,
): Conversation | null {
  const value = fieldOf(record, field, skipped);
  if (value === undefined) return null;
  const { place } = record;
  if (!Array.isArray(value) || !value.every(isObject)) {
    skipped.add('not-messages', place, value);
    return null;
  }
  if (value.length === 0) {
    skipped.add('no-messages', place, record.source ?? record.value);
    return null;
  }
  const messages = value.map(plain) as Record<string, unknown>[];
  for (const message of messages) {
    const { role, content } = message;
    const isContent =
      typeof content === 'string' ||
      (Array.isArray(content) && content.length > 0 && content.every(isText));
    if (typeof role !== 'string' || !isContent) {
      skipped.add('not-messages', place, message);
      return null;
    }
    if (!(chatRoles as readonly string[]).includes(role)) {
      skipped.add('unknown-role', place, message);
      return null;
    }
  }
  return { messages: messages as Message[], length: record.source?.length ?? lengthOf(messages) };
}

function lengthOf(messages: readonly Record<string, unknown>[]): number {
  return messages.reduce((sum, { content }) => sum + (content as string | unknown[]).length, 0);
}
