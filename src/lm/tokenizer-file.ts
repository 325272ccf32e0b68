/**
 * What must hold in a `tokenizer.json` before the native library may see it: it checks most of the
 * file itself, but ends the process at these. Loads nothing native.
 */
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

/** The parts of a section and, where it is a `Sequence`, of the sections in it. */
function flattened(section: JsonFields | null, listName: string, depth = 0): JsonFields[] {
  if (section === null || depth > 8) return [];
  const inside = listOf(section, listName).map((item) =>
    JsonFields.from(item, section.file, { code: 'tokenizer-invalid', at: listName }),
  );
  return [section, ...inside.flatMap((item) => flattened(item, listName, depth + 1))];
}

/** A merge is a pair, or in older files the two halves around a space. */
function secondHalf(merge: unknown): string | null {
  const half: unknown = Array.isArray(merge)
    ? merge[1]
    : typeof merge === 'string'
      ? merge.slice(merge.indexOf(' ') + 1)
      : null;
  return typeof half === 'string' ? half : null;
}

/** A merge drops the prefix of its second half, whether it is there or not. */
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
 * A template names special tokens, which must be given beside it. The library takes a section of
 * any `type` for one that has its fields.
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
 * The file's fields, once they are safe to hand on.
 * @throws SaeEvalError `tokenizer-invalid`.
 */
export function checkTokenizerFile(text: string, file: string): JsonFields {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (thrown) {
    refuse(file, thrown instanceof Error ? thrown.message : String(thrown));
  }
  const tokenizer = JsonFields.from(json, file, { code: 'tokenizer-invalid' });
  const model = tokenizer.section('model');
  if (model === null) refuse(file, 'it has no model');
  checkMerges(model);
  for (const processor of flattened(tokenizer.section('post_processor'), 'processors'))
    checkTemplate(processor);
  return tokenizer;
}
