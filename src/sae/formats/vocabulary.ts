/**
 * The words of a format: the keys of its configurations and the tensors of its files, and what each
 * is taken for. A word that would change what the SAE computes is honored or refused by name; one
 * that nobody knows becomes a note. docs/reference/formats.md has a table of them.
 */
import { z } from 'zod';
import type { Bilingual } from '../../bilingual.js';
import { SaeEvalError } from '../../errors.js';
import { readAnyConfig } from './any-config.js';
import type { FormatDescription, FormatFile } from './format.js';
import { shownOnOneLine } from '../../shown-text.js';

/** A word whose values are refused, apart from those that change nothing. */
export class Refused {
  constructor(
    /** What another value would mean: a phrase. */
    readonly why: string,
    /** Values of a key that are accepted; a tensor is refused if it is there. */
    readonly unless: readonly unknown[] = [null, false],
  ) {}
}

/**
 * `honored`: the SAE is computed by it. `harmless`: what it says changes no value, such as settings
 * of training.
 */
export type KeyMeaning = 'honored' | 'harmless' | Refused;

/** Keys of a configuration by name; an object among its values has keys of its own. */
export interface Keys {
  readonly [key: string]: KeyMeaning | Keys;
}

/**
 * `honored`: a weight of the SAE. `setting`: honored too, but read when the SAE is described, such
 * as its k.
 */
export type TensorMeaning = KeyMeaning | 'setting';

export interface Vocabulary {
  /** Keys of the configuration; none if the format has no configuration. */
  readonly keys: Keys;
  /** Tensors by name; a name that ends in `*` stands for all that begin with it. */
  readonly tensors: Readonly<Record<string, TensorMeaning>>;
  /** Values beside the tensors of a `.pt` file, named as tensors are. Absent: not looked at. */
  readonly values?: Readonly<Record<string, KeyMeaning>>;
}

/** The same meaning for several words. */
export function all<M extends KeyMeaning | 'setting'>(
  meaning: M,
  ...words: readonly string[]
): Readonly<Record<string, M>> {
  return Object.fromEntries(words.map((word) => [word, meaning]));
}

/** A format knows at most so many characters of a name, and says at most so many names. */
const mostCharacters = 60;
const mostNames = 12;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isMeaning = (entry: KeyMeaning | Keys): entry is KeyMeaning =>
  typeof entry === 'string' || entry instanceof Refused;
const text = (value: unknown): string => JSON.stringify(value)?.slice(0, mostCharacters) ?? 'none';
// Control and format characters of a file's texts could move the cursor of a terminal.
const printable = (name: string): string => shownOnOneLine(name.slice(0, mostCharacters));

/** Meaning of a name in a list whose names may end in `*`. */
function meaningOf<M>(words: Readonly<Record<string, M>>, name: string): M | undefined {
  if (Object.hasOwn(words, name)) return words[name];
  const begins = Object.keys(words).find(
    (word) => word.endsWith('*') && name.startsWith(word.slice(0, -1)),
  );
  return begins === undefined ? undefined : words[begins];
}

/** Key of a configuration, with its value and what it is taken for; undefined if unknown. */
interface FoundKey {
  path: string;
  value: unknown;
  meaning: KeyMeaning | undefined;
}

function keysOf(config: Record<string, unknown>, keys: Keys, at = ''): FoundKey[] {
  return Object.entries(config).flatMap(([key, value]): FoundKey[] => {
    const path = `${at}${key}`;
    const entry = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (entry === undefined || isMeaning(entry)) return [{ path, value, meaning: entry }];
    return isObject(value) ? keysOf(value, entry, `${path}.`) : [];
  });
}

const configSchema = z.record(z.string(), z.unknown());

function wordsOf({ keys }: Vocabulary, configPath: string | null): FoundKey[] {
  return configPath === null ? [] : keysOf(readAnyConfig(configPath, configSchema), keys);
}

/**
 * Whether a format knows most keys of a configuration, as those of its own.
 * @throws SaeEvalError `checkpoint-*` for a configuration that cannot be read.
 */
export function knowsMostKeys(vocabulary: Vocabulary, configPath: string | null): boolean {
  const keys = wordsOf(vocabulary, configPath);
  return keys.filter(({ meaning }) => meaning !== undefined).length * 2 > keys.length;
}

function refuseValue(file: string, { path, value, meaning }: FoundKey): void {
  if (!(meaning instanceof Refused)) return;
  if (meaning.unless.some((accepted) => JSON.stringify(accepted) === JSON.stringify(value))) return;
  throw new SaeEvalError(
    'sae-kind',
    `${file}: ${path} ${text(value)} is not supported: ${meaning.why}; expected ` +
      `${meaning.unless.map(text).join(' or ')}.`,
  );
}

/** @throws SaeEvalError `sae-kind` naming a key or tensor that is not implemented. */
export function refuseUnsupported(vocabulary: Vocabulary, file: FormatFile): void {
  const { checkpoint } = file;
  for (const key of wordsOf(vocabulary, file.configPath)) refuseValue(file.configPath!, key);
  for (const [path, value] of vocabulary.values === undefined ? [] : checkpoint.values)
    refuseValue(checkpoint.path, { path, value, meaning: meaningOf(vocabulary.values!, path) });
  for (const name of checkpoint.entries.keys()) {
    const meaning = meaningOf(vocabulary.tensors, name);
    if (meaning instanceof Refused)
      throw new SaeEvalError(
        'sae-kind',
        `${checkpoint.path}: the tensor '${printable(name)}' is not supported: ${meaning.why}.`,
      );
  }
}

/** All texts in a description, among them the names of the tensors that it uses. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

function listed(names: readonly string[]): string {
  const most = names.slice(0, mostNames).map((name) => `'${printable(name)}'`);
  return most.concat(names.length > mostNames ? ['…'] : []).join(', ');
}

const baseName = (path: string): string => path.replace(/^.*[/\\]/, '');

/** Notes on the words of a file that nobody knows, and on tensors that the SAE does not use. */
export function notesOnUnknown(
  vocabulary: Vocabulary,
  file: FormatFile,
  description: FormatDescription,
): Bilingual[] {
  const { checkpoint, configPath } = file;
  // A key that is null is not set.
  const keys = wordsOf(vocabulary, file.configPath).flatMap(({ path, value, meaning }) =>
    meaning === undefined && value !== null ? [path] : [],
  );
  const { values } = vocabulary;
  const unknownValues =
    values === undefined
      ? []
      : [...checkpoint.values.keys()].filter((name) => meaningOf(values, name) === undefined);
  const used = new Set(textsIn(description));
  const tensors = [...checkpoint.entries.keys()].filter((name) => {
    const meaning = meaningOf(vocabulary.tensors, name);
    return meaning !== 'harmless' && meaning !== 'setting' && !used.has(name);
  });
  const note = (path: string, names: readonly string[], words: Bilingual): Bilingual[] =>
    names.length === 0
      ? []
      : [
          {
            en:
              `${baseName(path)} ${words.en}: ${listed(names)}. They were not taken into ` +
              'account.',
            zh: `${baseName(path)} ${words.zh}：${listed(names)}；未予考虑。`,
          },
        ];
  return [
    ...note(configPath ?? '', keys, {
      en: 'has keys that sae-eval does not know',
      zh: '中有 sae-eval 不认识的键',
    }),
    ...note(checkpoint.path, unknownValues, {
      en: 'has values that sae-eval does not know',
      zh: '中有 sae-eval 不认识的值',
    }),
    ...note(checkpoint.path, tensors, {
      en: 'has tensors that this SAE does not use',
      zh: '中有该 SAE 未使用的张量',
    }),
  ];
}
