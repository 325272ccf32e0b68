/**
 * Tokens that a tokenizer has beside its vocabulary, and its special tokens by name. Several files
 * may hold them; which one is heard is decided as by transformers 5 (`PreTrainedTokenizerBase.
 * _from_pretrained` and `TokenizersBackend.__init__`).
 */
import type { JsonFields } from './json-fields.js';
import { isSpecial, textOf, valuesOf } from './special-tokens.js';
import { specialTokenNames, type TokenizerClass } from './tokenizer-classes.js';

export interface AddedToken {
  content: string;
  special: boolean;
  /** Whether the token is looked for in the normalized text. */
  normalized: boolean;
  lstrip: boolean;
  rstrip: boolean;
  single_word: boolean;
}

export interface TokenizerFiles {
  /** `tokenizer.json`. */
  tokenizer: JsonFields;
  /** `tokenizer_config.json`; null if there is none. */
  config: JsonFields | null;
  /** `special_tokens_map.json`; null if there is none. */
  specialsMap: JsonFields | null;
  /** `added_tokens.json`; null if there is none. */
  added: JsonFields | null;
}

export interface Tokens {
  /** Texts of the special tokens by name, `pad_token` for one. */
  named: ReadonlyMap<string, string>;
  /** Tokens to add, in the order of their ids. */
  added: AddedToken[];
}

function addedToken(token: unknown, defaults: Partial<AddedToken> = {}): AddedToken | null {
  const content = textOf(token);
  if (content === null) return null;
  const flag = (name: keyof AddedToken, fallback: boolean): boolean => {
    const value = typeof token === 'object' ? (token as Record<string, unknown>)[name] : undefined;
    return typeof value === 'boolean' ? value : fallback;
  };
  const special = defaults.special ?? isSpecial(token);
  return {
    content,
    special,
    normalized: flag('normalized', defaults.normalized ?? !special),
    lstrip: flag('lstrip', false),
    rstrip: flag('rstrip', false),
    single_word: flag('single_word', false),
  };
}

/** Settings under one name in several files: the first file that has the name is heard. */
class Settings {
  readonly #files: JsonFields[];

  constructor(files: readonly (JsonFields | null)[]) {
    this.#files = files.filter((fields) => fields !== null);
  }

  has(name: string): boolean {
    return this.#files.some((fields) => fields.names().includes(name));
  }

  value(name: string): unknown {
    return this.#files.find((fields) => fields.names().includes(name))?.value(name) ?? null;
  }

  names(): Set<string> {
    return new Set(this.#files.flatMap((fields) => fields.names()));
  }
}

/** Special tokens without a name: a list, whose older field is heard if the newer one is empty. */
function extraTokens({ config, specialsMap }: TokenizerFiles, settings: Settings): unknown[] {
  const extra = valuesOf(config, 'extra_special_tokens');
  const older = valuesOf(config, 'additional_special_tokens');
  const fromConfig = extra.length > 0 ? extra : older;
  if (!settings.has('added_tokens_decoder')) {
    const listed = valuesOf(specialsMap, 'extra_special_tokens');
    if (fromConfig.length + listed.length > 0) return [...fromConfig, ...listed];
    return valuesOf(specialsMap, 'additional_special_tokens');
  }
  return fromConfig;
}

/** Added tokens by id, as the files list them. */
function listedTokens(
  { tokenizer, config, added }: TokenizerFiles,
  specialTexts: ReadonlySet<string>,
): AddedToken[] {
  const byId = new Map<number, AddedToken>();
  const put = (id: unknown, token: AddedToken | null): void => {
    if (token !== null && Number.isSafeInteger(Number(id))) byId.set(Number(id), token);
  };
  if (config?.names().includes('added_tokens_decoder') === true) {
    const decoder = config.section('added_tokens_decoder');
    for (const id of decoder?.names() ?? []) put(id, addedToken(decoder!.value(id)));
  } else {
    for (const text of added?.names() ?? []) {
      const special = specialTexts.has(text);
      put(added!.value(text), addedToken(text, { special, normalized: !special }));
    }
    for (const token of valuesOf(tokenizer, 'added_tokens'))
      put((token as { id?: unknown } | null)?.id, addedToken(token));
  }
  return [...byId].sort(([a], [b]) => a - b).map(([, token]) => token);
}

/** Special tokens by name, each as it will be added. */
function namedTokens(
  { tokenizer }: TokenizerFiles,
  { settings, defaults }: { settings: Settings; defaults: TokenizerClass['defaults'] },
): Map<string, AddedToken> {
  const named = new Map<string, AddedToken>();
  const put = (name: string, value: unknown): void => {
    const token = addedToken(value, { special: true });
    if (token !== null && token.content !== '') named.set(name, token);
  };
  for (const name of specialTokenNames) {
    if (settings.has(name)) put(name, settings.value(name));
    else if (defaults[name] !== undefined) put(name, defaults[name]);
    // A tokenizer that was saved while it padded may have the pad token there alone.
    else if (name === 'pad_token') put(name, tokenizer.section('padding')?.value(name));
  }
  for (const name of settings.names())
    if (name.endsWith('_token') && !named.has(name) && !isStandard(name))
      put(name, settings.value(name));
  return named;
}

function isStandard(name: string): boolean {
  return (specialTokenNames as readonly string[]).includes(name);
}

/**
 * Tokens of the tokenizer.
 * @param tokenizerClass class that builds the tokenizer anew; null if the file is taken as it is.
 */
export function readTokens(files: TokenizerFiles, tokenizerClass: TokenizerClass | null): Tokens {
  const { config, specialsMap } = files;
  // Settings with a list of added tokens make the older files beside them unheard.
  const older = config?.names().includes('added_tokens_decoder') === true ? null : specialsMap;
  const settings = new Settings([older, config]);
  const named = namedTokens(files, { settings, defaults: tokenizerClass?.defaults ?? {} });
  const extra = extraTokens(files, settings)
    .map((token) => addedToken(token, { special: true }))
    .filter((token) => token !== null);
  const inFiles = specialTokenNames.flatMap((name) => textOf(settings.value(name)) ?? []);
  const listed = listedTokens(files, new Set([...inFiles, ...extra.map(({ content }) => content)]));
  const namedTexts = new Set([...named.values()].map(({ content }) => content));
  const added = listed.map((token) =>
    namedTexts.has(token.content) ? { ...token, special: true } : token,
  );
  const known = new Set(added.map(({ content }) => content));
  if (tokenizerClass === null)
    for (const token of valuesOf(files.tokenizer, 'added_tokens')) {
      const text = textOf(token);
      if (text !== null) known.add(text);
    }
  for (const token of [...named.values(), ...extra]) {
    if (known.has(token.content)) continue;
    known.add(token.content);
    added.push(token);
  }
  return { named: new Map([...named].map(([name, { content }]) => [name, content])), added };
}
