/**
 * Renders conversations by a chat template, as `apply_chat_template` of transformers does, and
 * tells which part of the text is whose. The template is untrusted; this runs in a worker that may
 * be ended.
 */
import * as jinja from '@huggingface/jinja';
import type { ChatRole } from '../../schema/index.js';
import type { Message } from './conversation.js';
import { strftime } from './strftime.js';

/** Names that a template may use. */
interface Scope {
  set(name: string, value: unknown): unknown;
}

// Node's rules do not resolve the library's own types of the last two.
const { Template, Environment, Interpreter } = jinja as unknown as {
  Template: typeof jinja.Template;
  Environment: new () => Scope;
  Interpreter: new (scope: Scope) => { run(program: unknown): { value: unknown } };
};
type Template = jinja.Template;

export interface RenderOptions {
  /** Chat template, in Jinja. */
  source: string;
  /** Special tokens by name: `bos_token`, `eos_token`, …. */
  specials: Readonly<Record<string, string>>;
  /** Roles whose tokens count; null if all tokens do. */
  roles: readonly ChatRole[] | null;
}

/** From and to, in code units of the text. */
export type Span = readonly [from: number, to: number];

/**
 * A text with the parts that count (null: all); or why there is none: the template's own words, its
 * fault, or that the roles of its parts cannot be told.
 */
export type Rendered =
  | { text: string; counted: readonly Span[] | null }
  | { reason: 'template-refused' | 'template-failed' | 'roles-unclear'; words: string };

/** Longest text of a conversation, in characters. */
const longest = 2 ** 24;
const longestRange = 2 ** 20;

/** The message of the template's `raise_exception`. */
class Refusal extends Error {}

const generationTags = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;
/** Marks in place of the tags: characters that no text has (private use). */
const marks = { begin: '\u{F0B3A}', end: '\u{F0B3B}' };

function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  if (step === 0) throw new Error('range() needs a step other than 0');
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (!(count <= longestRange)) throw new Error(`range() of more than ${longestRange} numbers`);
  return Array.from({ length: count }, (_, at) => from + at * step);
}

const textOfParts = (content: Message['content']): string =>
  typeof content === 'string' ? content : content.map(({ text }) => text).join('');

export class ChatRenderer {
  readonly #plain: Template;
  /** The template with marks where it says what the model generates; null if it does not say. */
  readonly #marked: Template | null;
  readonly #takesParts: boolean;
  readonly #options: RenderOptions;

  /** @throws Error if the template is no Jinja. */
  constructor(options: RenderOptions) {
    this.#options = options;
    const { source } = options;
    this.#plain = new Template(source);
    const marked = source.replace(
      generationTags,
      (_, left: string, end: string | undefined, right: string) =>
        `{%${left} if true %}` +
        `{{ '${end === undefined ? marks.begin : marks.end}' }}{% endif ${right}%}`,
    );
    this.#marked = marked === source ? null : new Template(marked);
    // Templates for texts alone would print a list as Python does.
    this.#takesParts = /\[\s*['"]type['"]\s*\]|\.type\b/.test(source);
  }

  /** The text of a conversation, and what of it counts. */
  render(conversation: readonly Message[]): Rendered {
    const messages = this.#takesParts
      ? conversation
      : conversation.map((one) => ({ ...one, content: textOfParts(one.content) }));
    try {
      const text = this.#text(messages);
      if (text.length > longest)
        return { reason: 'template-failed', words: `a text of ${text.length} characters` };
      const { roles } = this.#options;
      if (roles === null) return { text, counted: null };
      const counted = this.#counted(text, messages, new Set(roles));
      return typeof counted === 'string'
        ? { reason: 'roles-unclear', words: counted }
        : { text, counted };
    } catch (thrown) {
      const words = thrown instanceof Error ? thrown.message : String(thrown);
      return { reason: thrown instanceof Refusal ? 'template-refused' : 'template-failed', words };
    }
  }

  #text(
    messages: readonly Message[],
    { prompt = false, template = this.#plain }: { prompt?: boolean; template?: Template } = {},
  ): string {
    const environment = new Environment();
    const values: Record<string, unknown> = {
      ...{ true: true, True: true, false: false, False: false, none: null, None: null },
      raise_exception: (message: unknown) => {
        throw new Refusal(String(message));
      },
      range,
      strftime_now: (format: unknown) => strftime(new Date(), String(format)),
      ...this.#options.specials,
      ...{ messages, tools: null, documents: null, add_generation_prompt: prompt },
    };
    for (const [name, value] of Object.entries(values)) environment.set(name, value);
    return String(new Interpreter(environment).run(template.parsed).value);
  }

  /** The same; null if the template does not render these messages. */
  #maybe(messages: readonly Message[], options: { prompt?: boolean } = {}): string | null {
    try {
      return this.#text(messages, options);
    } catch {
      return null;
    }
  }

  /** The parts that count, or the message whose part cannot be told. */
  #counted(
    text: string,
    messages: readonly Message[],
    roles: ReadonlySet<ChatRole>,
  ): Span[] | string {
    const marked = roles.has('assistant') ? this.#generated(text, messages) : null;
    const spans: Span[] = [...(marked ?? [])];
    for (const [at, { role, content }] of messages.entries()) {
      if (!roles.has(role) || (role === 'assistant' && marked !== null)) continue;
      const span = this.#byBeginnings(text, messages, at) ?? this.#byContent(text, messages, at);
      if (span === null) return `${role}: ${textOfParts(content)}`;
      spans.push(span);
    }
    return spans.sort(([a], [b]) => a - b);
  }

  /** The parts that the template marks as generated; null without marks. */
  #generated(text: string, messages: readonly Message[]): Span[] | null {
    if (this.#marked === null) return null;
    const parts = this.#text(messages, { template: this.#marked }).split(
      new RegExp(`(${marks.begin}|${marks.end})`, 'u'),
    );
    const spans: Span[] = [];
    let plain = '';
    let from = 0;
    for (const part of parts) {
      if (part === marks.begin) from = plain.length;
      else if (part === marks.end) spans.push([from, plain.length]);
      else plain += part;
    }
    return plain === text ? spans : null;
  }

  /**
   * The part between two beginnings of the conversation, if they are rendered as the beginning of
   * all of it; of an assistant, behind what prompts it to speak.
   */
  #byBeginnings(text: string, messages: readonly Message[], at: number): Span | null {
    const beginning = (count: number): number | null => {
      if (count === messages.length) return text.length;
      const found = this.#maybe(messages.slice(0, count));
      if (found !== null && text.startsWith(found)) return found.length;
      return count === 0 ? 0 : null;
    };
    const [from, to] = [beginning(at), beginning(at + 1)];
    if (from === null || to === null || to < from) return null;
    if (messages[at]!.role !== 'assistant') return [from, to];
    const prompt = this.#maybe(messages.slice(0, at), { prompt: true });
    const speaks =
      prompt !== null && text.startsWith(prompt) && prompt.length >= from && prompt.length <= to;
    return [speaks ? prompt.length : from, to];
  }

  /**
   * The content of a message and what ends its turn, found by another text in its place; for
   * templates that render a message otherwise if more follow.
   */
  #byContent(text: string, messages: readonly Message[], at: number): Span | null {
    const other = 'Qz7Xv';
    if (text.includes(other)) return null;
    const instead = messages.map((one, index) => (index === at ? { ...one, content: other } : one));
    const around = (rendered: string | null): [string, string] | null => {
      const [before, after, more] = rendered?.split(other) ?? [];
      return before === undefined || after === undefined || more !== undefined
        ? null
        : [before, after];
    };
    const whole = around(this.#maybe(instead));
    if (whole === null) return null;
    const [before, after] = whole;
    const to = text.length - after.length;
    if (!text.startsWith(before) || !text.endsWith(after) || to < before.length) return null;
    const end = around(this.#maybe(instead.slice(0, at + 1)))?.[1] ?? '';
    return [before.length, text.startsWith(end, to) ? to + end.length : to];
  }
}
