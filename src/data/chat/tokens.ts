/** Tokens of conversations: rendered by the model's chat template, and which of them count. */
import type { ChatTemplate } from '../../lm/chat-template.js';
import type { PlacedTokens, Tokenizer } from '../../lm/tokenizer.js';
import type { Bilingual, ChatRole } from '../../schema/index.js';
import type { PieceTokens } from '../assembly.js';
import type { SkipReason } from '../skipped.js';
import type { Conversation } from './conversation.js';
import type { Rendered, Span } from './render.js';
import { ConversationRenderer } from './renderer.js';
import { strftime } from './strftime.js';

/** Why a conversation has no tokens. */
export interface NoTokens {
  reason: Extract<SkipReason, 'template-refused' | 'template-failed' | 'roles-unclear'>;
  words: string;
}

/** Special tokens that a template knows by name, as in transformers 5. */
const tokensOfTemplates = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'].map(
  (name) => `${name}_token`,
);

/** Positions of a text's code units, ascending, in code points. */
function inCodePoints(text: string, units: readonly number[]): Map<number, number> {
  const found = new Map<number, number>();
  let points = 0;
  let at = 0;
  for (const unit of units) {
    for (; at < unit; at += text.codePointAt(at)! > 0xffff ? 2 : 1) points++;
    found.set(unit, points);
  }
  return found;
}

/** 1 for each token that begins in a part that counts. A BOS at the head is nobody's. */
function countedTokens(
  { ids, offsets }: PlacedTokens,
  { text, spans, bosId }: { text: string; spans: readonly Span[]; bosId: number | null },
): Uint8Array {
  const units = [...new Set(spans.flat())].sort((a, b) => a - b);
  const points = inCodePoints(text, units);
  const parts = spans.map(([from, to]) => [points.get(from)!, points.get(to)!] as const);
  const counted = Uint8Array.from(offsets, ([start]) =>
    Number(parts.some(([from, to]) => start! >= from && start! < to)),
  );
  if (bosId !== null && ids[0] === bosId) counted[0] = 0;
  return counted;
}

export interface ChatOptions {
  template: ChatTemplate;
  tokenizer: Tokenizer;
  /** Roles whose tokens count; null if all tokens do. */
  roles: readonly ChatRole[] | null;
}

export class ChatTokens {
  readonly #tokenizer: Tokenizer;
  readonly #template: ChatTemplate;
  readonly #renderer: ConversationRenderer;
  readonly #begun = new Date();

  constructor({ template, tokenizer, roles }: ChatOptions) {
    this.#tokenizer = tokenizer;
    this.#template = template;
    const specials = Object.fromEntries(
      [...tokenizer.named].filter(([name]) => tokensOfTemplates.includes(name)),
    );
    this.#renderer = new ConversationRenderer({ ...template, specials, roles });
  }

  /** Tokens of each conversation, in order. */
  async of(conversations: readonly Conversation[]): Promise<(PieceTokens | NoTokens)[]> {
    if (conversations.length === 0) return [];
    const rendered = await this.#renderer.render(conversations.map(({ messages }) => messages));
    const texts = rendered.filter((one) => 'text' in one);
    const placed = await this.#tokenizer.encodePlaced(texts.map(({ text }) => text));
    let next = 0;
    return rendered.map((one) => ('text' in one ? this.#tokens(one, placed[next++]!) : one));
  }

  #tokens(
    { text, counted: spans }: Extract<Rendered, { text: string }>,
    placed: PlacedTokens,
  ): PieceTokens {
    const { ids } = placed;
    if (spans === null) return { ids, isRendered: true };
    const { bosId } = this.#tokenizer;
    return { ids, counted: countedTokens(placed, { text, spans, bosId }), isRendered: true };
  }

  /** Remarks on what the template does. */
  warnings(): Bilingual[] {
    if (!/\bstrftime_now\b/.test(this.#template.source)) return [];
    const date = strftime(this.#begun, '%Y-%m-%d');
    return [
      {
        en:
          `The chat template may write the day on which it runs, here ${date}: on another day ` +
          'the text may differ.',
        zh: `对话模板可能写入运行当天的日期（本次为 ${date}）：改日运行时文本可能不同。`,
      },
    ];
  }

  async close(): Promise<void> {
    await this.#renderer.close();
  }
}
