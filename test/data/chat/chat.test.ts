/** Conversations: chat templates against transformers, whose tokens are whose, and hostile ones. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parquetWriteFile } from 'hyparquet-writer';
import type { Conversation, Message } from '#src/data/chat/conversation.js';
import { ChatRenderer } from '#src/data/chat/render.js';
import { ConversationRenderer } from '#src/data/chat/renderer.js';
import { strftime } from '#src/data/chat/strftime.js';
import { ChatTokens } from '#src/data/chat/tokens.js';
import { openSamples, type Sample, type SampleOptions } from '#src/data/index.js';
import { run } from '#src/evaluation/run/run.js';
import { validateRequest } from '#src/evaluation/request/resolve.js';
import { readChatTemplate } from '#src/lm/chat-template.js';
import { loadTokenizer, type Tokenizer } from '#src/lm/index.js';
import type { ChatRole, Dataset } from '#src/schema/index.js';
import { root } from '../../golden/load.js';

const golden = join(root, 'test/golden/chat');
const tinyLlama = join(root, 'checkpoints/tiny-llama');
const read = (name: string): string => readFileSync(join(golden, name), 'utf8');
const conversations = JSON.parse(read('conversations.json')) as Record<string, Message[]>;
type Expected = { refused: string } | { text: string; ids: number[]; assistant: number[] | null };
const expected = Object.entries(JSON.parse(read('expected.json')) as Record<string, Expected>);
const specials = { bos_token: '<|begin_of_text|>', eos_token: '<|eot_id|>' };

let tokenizer: Tokenizer;
const folder = mkdtempSync(join(tmpdir(), 'sae-eval-chat-'));
const model = join(folder, 'model');

beforeAll(async () => {
  tokenizer = await loadTokenizer(tinyLlama);
  cpSync(tinyLlama, model, { recursive: true });
  writeFileSync(join(model, 'chat_template.jinja'), read('llama-3.jinja'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function tokensBy(source: string, roles: ChatRole[] | null = null): ChatTokens {
  return new ChatTokens({ template: { source, file: 'chat.jinja' }, tokenizer, roles });
}
const asConversation = (messages: Message[]): Conversation => ({ messages, length: 1 });

describe('the templates', () => {
  const byTemplate = [...new Set(expected.map(([name]) => name.split(' ')[0]!))];

  it.each(byTemplate)('%s gives the ids and masks of transformers', async (name) => {
    const own = expected.filter(([key]) => key.startsWith(`${name} `));
    const chat = tokensBy(read(`${name}.jinja`), ['assistant']);
    const found = await chat.of(
      own.map(([key]) => asConversation(conversations[key.split(' ')[1]!]!)),
    );
    await chat.close();
    own.forEach(([key, one], at) => {
      if ('refused' in one)
        expect([key, found[at]]).toEqual([key, { reason: 'template-refused', words: one.refused }]);
      else {
        const { ids, counted } = found[at] as { ids: number[]; counted: Uint8Array };
        expect([key, ids]).toEqual([key, one.ids]);
        if (one.assistant !== null) expect([key, [...counted]]).toEqual([key, one.assistant]);
      }
    });
  });

  // No beginning of these conversations is rendered as the beginning of the whole.
  it.each([
    ['qwen', 'system', [' Paris<|im_end|>\n', '<think>\n\n</think>\n\n東京 é<|im_end|>\n']],
    ['qwen', 'thinking', ['2<|im_end|>\n', '<think>\nalso easy\n</think>\n\n4<|im_end|>\n']],
    ['qwen', 'open', ['two<|im_end|>\n']],
    ['mistral', 'system', ['Paris<|eot_id|>', '東京 é<|eot_id|>']],
  ] as const)('%s, %s: what counts is found by the content', (name, key, parts) => {
    const renderer = new ChatRenderer({
      source: read(`${name}.jinja`),
      specials,
      roles: ['assistant'],
    });
    const rendered = renderer.render(conversations[key]!);
    if (!('text' in rendered)) return expect.unreachable();
    expect(rendered.counted!.map(([from, to]) => rendered.text.slice(from, to))).toEqual(parts);
  });

  it('tell the tokens of other roles, and never those of the template', () => {
    const source = read('llama-3.jinja');
    const renderer = new ChatRenderer({ source, specials, roles: ['user', 'system'] });
    const rendered = renderer.render(conversations['short']!);
    if (!('text' in rendered)) return expect.unreachable();
    const [span] = rendered.counted!;
    expect(rendered.counted).toHaveLength(1);
    expect(rendered.text.slice(span![0], span![1])).toContain(
      '<|start_header_id|>user<|end_header_id|>\n\nWhat is a sparse autoencoder?<|eot_id|>',
    );
  });

  it('whose roles cannot be told say so', () => {
    const source = "{{ messages[::-1]|map(attribute='content')|join(' ')|upper }}";
    const renderer = new ChatRenderer({ source, specials, roles: ['assistant'] });
    expect(renderer.render(conversations['system']!)).toMatchObject({ reason: 'roles-unclear' });
  });

  it('write dates in English', () => {
    const time = new Date(2024, 6, 4, 15, 5, 9);
    expect(strftime(time, '%d %b %Y|%B %-d, %A %a %y|%I:%M %p %H:%S %% %Q')).toBe(
      '04 Jul 2024|July 4, Thursday Thu 24|03:05 PM 15:09 % %Q',
    );
    const source = "{{ strftime_now('%Y') }}{{ messages[0].content }}";
    const chat = tokensBy(source);
    expect(chat.warnings()).toHaveLength(1);
    const rendered = new ChatRenderer({ source, specials, roles: null }).render([
      { role: 'user', content: '!' },
    ]);
    expect(rendered).toEqual({ text: `${new Date().getFullYear()}!`, counted: null });
    return chat.close();
  });
});

describe('a template is bounded', () => {
  const one: Message[][] = [[{ role: 'user', content: 'x' }]];

  it.each([
    ['{% for i in range(10000000000) %}x{% endfor %}', 'template-failed'],
    [
      "{% set ns = namespace(s='x') %}" +
        '{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}',
      'template-failed',
    ],
    ['{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}', 'template-failed'],
    ['{{ messages[0].content.constructor.constructor("return process")() }}', 'template-failed'],
  ])('%s', (source, reason) => {
    const renderer = new ChatRenderer({ source, specials, roles: null });
    expect(renderer.render(one[0]!)).toMatchObject({ reason });
  });

  it('in time, in a thread of its own', async () => {
    const source =
      '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}';
    const renderer = new ConversationRenderer({
      ...{ source, specials, roles: null, file: 'chat.jinja', patienceMs: 300 },
    });
    await expect(renderer.render(one)).rejects.toMatchObject({
      code: 'tokenizer-invalid',
      message: 'chat.jinja: chat template: it takes longer than 0.3 s.',
    });
    await renderer.close();
  });

  it('and is Jinja', async () => {
    const renderer = new ConversationRenderer({
      ...{ source: '{% if %}', specials, roles: null, file: 'chat.jinja' },
    });
    await expect(renderer.render(one)).rejects.toThrow('expected a template in Jinja');
    await renderer.close();
  });
});

describe('the template of a folder', () => {
  const at = (name: string, files: Record<string, unknown>): string => {
    const path = join(folder, name);
    mkdirSync(join(path, 'additional_chat_templates'), { recursive: true });
    for (const [file, content] of Object.entries(files))
      writeFileSync(
        join(path, file),
        typeof content === 'string' ? content : JSON.stringify(content),
      );
    return path;
  };

  it('stands in its own file, or in the configuration, alone or among others', () => {
    const list = [
      { name: 'tool_use', template: 'T' },
      { name: 'default', template: 'D' },
    ];
    const named = at('named', { 'tokenizer_config.json': { chat_template: list } });
    expect(readChatTemplate(named)!.source).toBe('D');
    const single = { 'tokenizer_config.json': { chat_template: 'S' } };
    expect(readChatTemplate(at('single', single))!.source).toBe('S');
    const file = {
      ...single,
      'chat_template.jinja': 'F',
      'additional_chat_templates/rag.jinja': 'R',
    };
    expect(readChatTemplate(at('file', file))!.source).toBe('F');
    expect(readChatTemplate(at('none', { 'tokenizer_config.json': {} }))).toBeNull();
    const others = at('others', { 'additional_chat_templates/rag.jinja': 'R' });
    expect(() => readChatTemplate(others)).toThrow('named default, found rag');
    const wrong = at('wrong', { 'tokenizer_config.json': { chat_template: [{ name: 1 }] } });
    expect(() => readChatTemplate(wrong)).toThrow('expected a text, or a list of');
  });
});

async function samplesOf(
  path: string,
  options: Partial<SampleOptions> = {},
): Promise<{ samples: Sample[]; reasons: Record<string, number>; first: string[] }> {
  const stream = await openSamples({
    ...{ path, seqLen: 64, messagesField: 'messages', tokenizer },
    ...{ ...options, template: readChatTemplate(model) },
  });
  const samples: Sample[] = [];
  for await (const batch of stream) samples.push(...batch);
  const { skipped } = stream.summary;
  return {
    samples,
    reasons: Object.fromEntries(skipped.map(({ reason, count }) => [reason, count])),
    first: skipped.map(({ first }) => first.excerpt),
  };
}

describe('a data set of messages', () => {
  const lines = (...records: unknown[]): string =>
    records.map((record) => JSON.stringify(record)).join('\n');
  const { short, system } = conversations;
  const idsOf = (key: string): number[] =>
    (expected.find(([name]) => name === `llama-3 ${key}`)![1] as { ids: number[] }).ids;

  it('has a sample for each conversation, and counts what is none', async () => {
    const path = join(folder, 'mixed.jsonl');
    writeFileSync(
      path,
      lines(
        { messages: short },
        { messages: [{ from: 'human', value: 'ShareGPT' }] },
        { messages: 'no list' },
        { messages: [{ role: 'user', content: [{ type: 'image', url: 'x' }] }] },
        { messages: [{ role: 'narrator', content: 'x' }] },
        { messages: [] },
        { text: 'x' },
        { messages: system },
      ),
    );
    const { samples, reasons } = await samplesOf(path, { seqLen: 150 });
    expect(samples.map(({ ids, length }) => [...ids.slice(0, length)])).toEqual([
      idsOf('short'),
      idsOf('system').slice(0, 150),
    ]);
    expect(samples.map(({ truncated }) => truncated)).toEqual([0, idsOf('system').length - 150]);
    expect(reasons).toEqual({
      ...{ 'not-messages': 3, 'unknown-role': 1, 'no-messages': 1, 'field-missing': 1 },
    });
  });

  it('may be parquet, packed, and begins with one BOS or none', async () => {
    const path = join(folder, 'chat.parquet');
    parquetWriteFile({
      filename: path,
      columnData: [{ name: 'messages', data: [short, system], type: 'JSON' }],
    });
    const all = [...idsOf('short'), ...idsOf('system')];
    const { samples } = await samplesOf(path, { chunking: 'packed', roles: ['assistant'] });
    expect(samples.flatMap(({ ids, length }) => [...ids.slice(0, length)])).toEqual(all);
    const out = samples.flatMap(({ out, length }) => [...out!.slice(0, length)]);
    const masks = ['short', 'system'].flatMap(
      (key) =>
        (expected.find(([name]) => name === `llama-3 ${key}`)![1] as { assistant: number[] })
          .assistant,
    );
    expect(out).toEqual(masks.map((one) => 1 - one));
    const { samples: once } = await samplesOf(path, { prependBos: true, seqLen: 256 });
    expect([...once[0]!.ids.slice(0, once[0]!.length)]).toEqual(idsOf('short'));
    const { samples: none } = await samplesOf(path, { prependBos: false, seqLen: 256 });
    expect([...none[0]!.ids.slice(0, none[0]!.length)]).toEqual(idsOf('short').slice(1));
  });

  it('is skipped record by record if the template refuses, in its own words', async () => {
    const refusing = join(folder, 'refusing');
    mkdirSync(refusing);
    cpSync(join(golden, 'gemma.jinja'), join(refusing, 'chat_template.jinja'));
    const path = join(folder, 'twice.jsonl');
    writeFileSync(path, lines({ messages: conversations['twice'] }, { messages: short }));
    const stream = await openSamples({
      ...{ path, seqLen: 64, messagesField: 'messages', tokenizer },
      template: readChatTemplate(refusing),
    });
    let count = 0;
    for await (const batch of stream) count += batch.length;
    expect(count).toBe(1);
    expect(stream.summary.skipped).toMatchObject([
      {
        reason: 'template-refused',
        count: 1,
        first: { excerpt: expect.stringContaining('alternate') as string },
      },
    ]);
  });
});

describe('an evaluation on conversations', () => {
  const path = join(folder, 'eval.jsonl');
  const tokens = join(folder, 'tokens.jsonl');
  const key = 'open';
  const { ids, assistant } = expected.find(([name]) => name === `llama-3 short`)![1] as {
    ids: number[];
    assistant: number[];
  };
  const request = (dataset: object, exclude?: object) => ({
    model,
    dataset: { seqLen: 128, ...dataset } as Dataset,
    saes: [
      { checkpoint: join(root, 'checkpoints/TopK_tiny.pt'), kind: 'TopK', layer: 8, k: 16 },
    ] as const as never,
    protocol: ['strict' as const],
    ...(exclude === undefined ? {} : { exclude }),
  });

  beforeAll(() => {
    writeFileSync(path, JSON.stringify({ messages: conversations['short'], key }));
    writeFileSync(tokens, JSON.stringify({ ids }));
  });

  it('counts the tokens of the roles, as if the others were excluded', async () => {
    const from = assistant.indexOf(1);
    const to = assistant.lastIndexOf(1) + 1;
    const byRoles = await run(
      request({ path, messagesField: 'messages', roles: ['assistant'] }) as never,
    );
    const byRange = await run(
      request(
        { path: tokens, tokensField: 'ids', chunking: 'document' },
        { positions: [from, to] },
      ) as never,
    );
    const [a, b] = [byRoles.results[0]!, byRange.results[0]!];
    expect(a.error).toBeNull();
    expect(a.strict).toEqual(b.strict);
    expect(a.positions).toMatchObject({
      counted: to - from,
      real: ids.length,
      roles: ['assistant'],
    });
    const whole = await run(request({ path, messagesField: 'messages' }) as never);
    expect(whole.results[0]!.positions).toMatchObject({ counted: ids.length, real: ids.length });
  });

  it.each([
    [{ messagesField: 'messages', tokensField: 'ids' }, 'dataset.messagesField'],
    [{ roles: ['user'] }, 'dataset.roles'],
    [{ messagesField: 'messages', chunking: 'words' }, 'dataset.chunking'],
    [{ messagesField: 'messages', roles: ['model'] }, 'dataset.roles[0]'],
    [{ messagesField: 'mesages' }, 'dataset.messagesField'],
  ])('names the field at fault in %j', async (dataset, field) => {
    await expect(validateRequest(request({ path, ...dataset }))).rejects.toMatchObject({
      fields: [{ path: field }],
    });
  });

  it('needs a chat template, and is proposed to those who ask for a text', async () => {
    const plain = { ...request({ path, messagesField: 'messages' }), model: tinyLlama };
    await expect(validateRequest(plain)).rejects.toMatchObject({
      code: 'tokenizer-invalid',
      fields: [{ path: 'dataset.messagesField' }],
    });
    await expect(validateRequest(request({ path }))).rejects.toThrow(
      'conversations are read by messagesField',
    );
  });
});
