/** Records that are skipped: every reason, how often it came up, and the first example. */
import { basename, relative } from 'node:path';
import { chatRoles, skippedClause, type Bilingual, type Skipped } from '../schema/index.js';

/** Place of a record in a file. */
export interface Place {
  /** Path of the file. */
  file: string;
  unit: Skipped['first']['unit'];
  /** Number of the line, row or item, from 1. */
  number: number;
}

interface Reason {
  /** The reason as a clause; `field` is the field of the text or of the token ids. */
  says(field: string): Bilingual;
  /** Whether it is no fault of the data, so that no warning tells it. */
  harmless?: true;
  /** Whether a chunk is lost and not the whole record. */
  ofChunks?: true;
}

/** The reasons for which records are skipped, in the order in which they are told. */
export const skipReasons = {
  'not-json': { says: () => ({ en: 'not JSON', zh: '不是 JSON' }) },
  'not-utf8': { says: () => ({ en: 'not UTF-8 text', zh: '不是 UTF-8 文本' }) },
  'too-long': {
    says: () => ({ en: 'longer than a line may be', zh: '超过允许的行长' }),
  },
  'not-an-object': { says: () => ({ en: 'not a JSON object', zh: '不是 JSON 对象' }) },
  'not-a-string': {
    says: (field) => ({
      en: `the field \`${field}\` is not a string`,
      zh: `字段 \`${field}\` 不是字符串`,
    }),
  },
  'not-token-ids': {
    says: (field) => ({
      en: `the field \`${field}\` is not a list of token ids`,
      zh: `字段 \`${field}\` 不是词元编号列表`,
    }),
  },
  'outside-vocabulary': {
    says: (field) => ({
      en: `the field \`${field}\` has a token outside the vocabulary`,
      zh: `字段 \`${field}\` 含有词表之外的词元`,
    }),
  },
  'chunk-outside-vocabulary': {
    says: () => ({
      en: 'the text has a token outside the vocabulary',
      zh: '文本含有词表之外的词元',
    }),
    ofChunks: true,
  },
  'not-messages': {
    says: (field) => ({
      en: `the field \`${field}\` is not a list of messages { role, content } with texts`,
      zh: `字段 \`${field}\` 不是由 { role, content } 文本消息组成的列表`,
    }),
  },
  'unknown-role': {
    says: (field) => ({
      en: `a message in \`${field}\` has a role other than ${chatRoles.join(', ')}`,
      zh: `\`${field}\` 中有消息的角色不属于 ${chatRoles.join('、')}`,
    }),
  },
  'no-messages': {
    says: () => ({ en: 'the list of messages is empty', zh: '消息列表为空' }),
    harmless: true,
  },
  'template-refused': {
    says: () => ({
      en: 'the chat template refuses the conversation',
      zh: '对话模板拒绝该对话',
    }),
  },
  'template-failed': {
    says: () => ({
      en: 'the chat template fails on the conversation',
      zh: '对话模板处理该对话时出错',
    }),
  },
  'roles-unclear': {
    says: () => ({
      en: 'the chat template does not let the roles of tokens be told',
      zh: '由对话模板无法判定词元所属的角色',
    }),
  },
  'field-missing': {
    says: (field) => ({
      en: `the field \`${field}\` is missing`,
      zh: `缺少字段 \`${field}\``,
    }),
    harmless: true,
  },
  blank: {
    says: () => ({ en: 'the text is empty or blank', zh: '文本为空或只有空白' }),
    harmless: true,
  },
  'no-token-ids': {
    says: () => ({ en: 'the list of token ids is empty', zh: '词元编号列表为空' }),
    harmless: true,
  },
  'no-tokens': {
    says: () => ({
      en: 'the tokenizer makes no token of the text',
      zh: '分词器没有从文本产生任何词元',
    }),
    ofChunks: true,
  },
} as const satisfies Record<string, Reason>;

export type SkipReason = keyof typeof skipReasons;

const reasons = Object.entries(skipReasons) as [SkipReason, Reason][];

/** Longest excerpt, in code points. */
const longestExcerpt = 100;

/** A value as JSON; empty if it cannot be written. */
function asJson(value: unknown): string {
  const plain = (_: string, part: unknown): unknown =>
    typeof part === 'bigint'
      ? Number(part)
      : ArrayBuffer.isView(part)
        ? Array.from(part as unknown as Iterable<unknown>)
        : part;
  try {
    return JSON.stringify(value, plain) ?? '';
  } catch {
    return '';
  }
}

/** Beginning of a record or value as one line, without characters that control a terminal. */
export function excerptOf(content: unknown): string {
  const text = typeof content === 'string' ? content : asJson(content);
  const begin = [
    ...text
      .slice(0, 8 * longestExcerpt)
      .replace(/\s+/gu, ' ')
      .trim(),
  ];
  const shown = begin.slice(0, longestExcerpt).join('');
  const cut = begin.length > longestExcerpt || text.length > 8 * longestExcerpt;
  const printable = shown.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\uFFFD');
  // A slice would keep the whole line in memory.
  return Buffer.from(`${printable}${cut ? '…' : ''}`).toString();
}

/** Counts of the records of a data set, and of those that are skipped, by reason. */
export class SkippedRecords {
  /** Number of records read, skipped ones included. */
  records = 0;
  readonly #found = new Map<SkipReason, { count: number; first: Skipped['first'] }>();

  /** @param folder path of the data set, below which examples name their files. */
  constructor(private readonly folder: string | null = null) {}

  /** Counts a record, or a chunk, that is skipped; `content` is the part of it to show. */
  add(reason: SkipReason, { file, unit, number }: Place, content: unknown): void {
    const found = this.#found.get(reason);
    if (found !== undefined) {
      found.count++;
      return;
    }
    const below = this.folder === null ? '' : relative(this.folder, file);
    const first = {
      file: excerptOf(below === '' || below.startsWith('..') ? basename(file) : below),
      unit,
      number,
      excerpt: excerptOf(content),
    };
    this.#found.set(reason, { count: 1, first });
  }

  /** Number of records that are skipped. */
  get total(): number {
    return reasons.reduce(
      (sum, [code, { ofChunks }]) =>
        sum + (ofChunks === true ? 0 : (this.#found.get(code)?.count ?? 0)),
      0,
    );
  }

  /** Every reason that came up. */
  list(field: string): Skipped[] {
    return reasons.flatMap(([reason, { says }]) => {
      const found = this.#found.get(reason);
      return found === undefined
        ? []
        : [{ reason, count: found.count, first: { ...found.first }, ...says(field) }];
    });
  }

  /** One sentence for each fault. */
  warnings(field: string): Bilingual[] {
    return this.list(field).flatMap((one) => {
      if ((skipReasons[one.reason as SkipReason] as Reason).harmless === true) return [];
      const { en, zh } = skippedClause(one);
      return [{ en: `${en}.`, zh: `${zh}。` }];
    });
  }
}
