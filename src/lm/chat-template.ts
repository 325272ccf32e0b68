/**
 * The chat template of a model folder, as transformers 5 finds it: `chat_template.jinja` and
 * `additional_chat_templates/`, else `chat_template` in `tokenizer_config.json`, a text or a list
 * of named texts. Of several, `default` is the one. It is a program of its author: whoever runs it
 * bounds its time and memory.
 */
import { join } from 'node:path';
import { SaeEvalError } from '../errors.js';
import { namesIn } from '../files/index.js';
import { readTextFile } from '../checkpoint/json-file.js';
import { JsonFields } from './json-fields.js';

export interface ChatTemplate {
  /** Text in Jinja. */
  source: string;
  /** File that it stands in. */
  file: string;
}

const unreadable = { code: 'tokenizer-invalid' } as const;
/** Longest template, in bytes. */
const limit = 2 ** 20;
const folderOfOthers = 'additional_chat_templates';

interface Named extends ChatTemplate {
  name: string;
}

function inFile(file: string, name: string): Named[] {
  const source = readTextFile(file, { ...unreadable, limit });
  return source === null ? [] : [{ name, source, file }];
}

function inFolder(folder: string): Named[] {
  let names: string[];
  try {
    names = namesIn(folder).sort();
  } catch (thrown) {
    if (thrown instanceof SaeEvalError) throw thrown; // it leads outside
    return [];
  }
  return names
    .filter((name) => name.endsWith('.jinja'))
    .slice(0, 100)
    .flatMap((name) => inFile(join(folder, name), name.replace(/\.jinja$/, '')));
}

function inConfig(file: string): Named[] {
  const value = JsonFields.read(file, unreadable)?.value('chat_template') ?? null;
  if (value === null) return [];
  if (typeof value === 'string') return [{ name: 'default', source: value, file }];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((one) => {
    const { name, template: source } = (one ?? {}) as { name?: unknown; template?: unknown };
    if (typeof name === 'string' && typeof source === 'string') return { name, source, file };
    throw new SaeEvalError(
      'tokenizer-invalid',
      `${file}: chat_template: expected a text, or a list of { name, template }.`,
    );
  });
}

/**
 * The chat template of a model folder; null if it has none.
 * @throws SaeEvalError `tokenizer-invalid` if there are several and none is the default.
 */
export function readChatTemplate(folder: string): ChatTemplate | null {
  const files = [
    ...inFile(join(folder, 'chat_template.jinja'), 'default'),
    ...inFolder(join(folder, folderOfOthers)),
  ];
  const named = files.length > 0 ? files : inConfig(join(folder, 'tokenizer_config.json'));
  if (named.length === 0) return null;
  const chosen = named.find(({ name }) => name === 'default');
  if (chosen !== undefined) return { source: chosen.source, file: chosen.file };
  throw new SaeEvalError(
    'tokenizer-invalid',
    `${folder}: expected a chat template named default, found ` +
      `${named.map(({ name }) => name.slice(0, 40)).join(', ')}.`,
  );
}
