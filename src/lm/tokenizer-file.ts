/**
 * Checks a `tokenizer.json` before the native library reads it. The library checks most of the file
 * itself, but the faults refused here would end the process.
 */
import { notJson } from '../checkpoint/json-file.js';
import { SaeEvalError } from '../errors.js';
import { JsonFields } from './json-fields.js';

function refuse(file: string, problem: string): never {
  throw new SaeEvalError(
    'tokenizer-invalid',
    `${file}: expected a tokenizer as the tokenizers library writes it: ${problem}.`,
  );
}

function listOf(fields: JsonFields, name: string): unknown[] {
  const value = fields.value(name);
  return Array.isArray(value) ? value : [];
}

/** A section and, if it is a `Sequence`, the sections in it. */
function flattened(section: JsonFields | null, listName: string, depth = 0): JsonFields[] {
  if (section === null || depth > 8) return [];
  const inside = listOf(section, listName).map((item) =>
    JsonFields.from(item, section.file, { code: 'tokenizer-invalid', at: listName }),
  );
  return [section, ...inside.flatMap((item) => flattened(item, listName, depth + 1))];
}

/** Second half of a merge, which is a pair, or in older files a text with a space between. */
function secondHalf(merge: unknown): string | null {
  const half: unknown = Array.isArray(merge)
    ? merge[1]
    : typeof merge === 'string'
      ? merge.slice(merge.indexOf(' ') + 1)
      : null;
  return typeof half === 'string' ? half : null;
}

/** Refuses a second half without the prefix, which the library drops without a check. */
function checkMerges(model: JsonFields): void {
  const prefix = model.value('continuing_subword_prefix');
  if (typeof prefix !== 'string' || prefix === '') return;
  const without = listOf(model, 'merges')
    .map(secondHalf)
    .find((half) => half !== null && !half.startsWith(prefix));
  if (without !== undefined)
    refuse(
      model.file,
      `model.merges: '${String(without).slice(0, 40)}' lacks the continuing_subword_prefix ` +
        `'${prefix.slice(0, 40)}'`,
    );
}

/**
 * Refuses a template with a special token that is not defined beside it. The type of the section
 * does not matter: the library goes by its fields.
 */
function checkTemplate(processor: JsonFields): void {
  const given = processor.section('special_tokens');
  for (const piece of [...listOf(processor, 'single'), ...listOf(processor, 'pair')]) {
    const id = (piece as { SpecialToken?: { id?: unknown } } | null)?.SpecialToken?.id;
    if (typeof id === 'string' && given?.has(id) !== true)
      refuse(
        processor.file,
        `post_processor.special_tokens: '${id.slice(0, 40)}' is used and not given`,
      );
  }
}

/**
 * Fields of the file, which the library may now read.
 * @throws SaeEvalError `tokenizer-invalid`.
 */
export function checkTokenizerFile(text: string, file: string): JsonFields {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    refuse(file, `expected JSON${notJson(text)}`);
  }
  const tokenizer = JsonFields.from(json, file, { code: 'tokenizer-invalid' });
  const model = tokenizer.section('model');
  if (model === null) refuse(file, 'it has no model');
  checkMerges(model);
  for (const processor of flattened(tokenizer.section('post_processor'), 'processors'))
    checkTemplate(processor);
  return tokenizer;
}
