/**
 * Special tokens of a tokenizer, by what its files and the model's say: `tokenizer.json`,
 * `tokenizer_config.json`, `special_tokens_map.json`, `config.json` and `generation_config.json`.
 */
import type { JsonFields } from './json-fields.js';

/** Text of a token, which is a string or an object with `content`; null for anything else. */
export function textOf(token: unknown): string | null {
  if (typeof token === 'string') return token;
  if (token === null || typeof token !== 'object' || !('content' in token)) return null;
  return typeof token.content === 'string' ? token.content : null;
}

/** Values of a list or an object in a field; none if there is no such field. */
export function valuesOf(fields: JsonFields | null, name: string): unknown[] {
  const value = fields?.value(name) ?? null;
  return value !== null && typeof value === 'object' ? Object.values(value) : [];
}

/** Whether an added token is marked as special. */
export function isSpecial(token: unknown): boolean {
  return (
    token !== null && typeof token === 'object' && 'special' in token && token.special === true
  );
}

/** Texts of the special tokens that one settings file names. */
function* textsIn(settings: JsonFields): Generator<string | null> {
  for (const name of settings.names()) {
    if (name.endsWith('_token')) yield textOf(settings.value(name));
    else if (name === 'additional_special_tokens' || name === 'extra_special_tokens')
      yield* valuesOf(settings, name).map(textOf);
    else if (name === 'added_tokens_decoder')
      yield* valuesOf(settings, name).filter(isSpecial).map(textOf);
  }
}

/**
 * Texts of all tokens that the tokenizer's files mark as special.
 * @param files `tokenizer.json`, and the settings files that there are.
 */
export function specialTexts(files: {
  tokenizer: JsonFields;
  settings: readonly (JsonFields | null)[];
}): Set<string> {
  const texts = [
    ...valuesOf(files.tokenizer, 'added_tokens').filter(isSpecial).map(textOf),
    ...files.settings.flatMap((settings) => (settings === null ? [] : [...textsIn(settings)])),
  ];
  return new Set(texts.filter((text) => text !== null));
}

/** Ids in a field of the model's files, which is a number or a list of numbers. */
export function modelIds(model: readonly (JsonFields | null)[], name: string): number[] {
  return model
    .flatMap((fields) => [fields, fields?.section('text_config')])
    .flatMap((fields) => fields?.value(name) ?? [])
    .filter((id): id is number => typeof id === 'number' && Number.isInteger(id) && id >= 0);
}

/** Fields of the model's files that hold ids of special tokens. */
export const modelIdFields = [
  'bos_token_id',
  'eos_token_id',
  'pad_token_id',
  'decoder_start_token_id',
] as const;
