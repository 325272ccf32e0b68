/** The table of keys and tensors in docs/reference/formats.md. */
import type { Format } from '#src/sae/formats/format.js';
import {
  Refused,
  type KeyMeaning,
  type Keys,
  type TensorMeaning,
} from '#src/sae/formats/vocabulary.js';

type Meanings = readonly (readonly [word: string, meaning: KeyMeaning | TensorMeaning])[];

const code = (word: string): string => `\`${word}\``;
const listed = (words: readonly string[]): string => words.join(', ') || '–';

function row(format: string, where: string, meanings: Meanings): string[] {
  if (meanings.length === 0) return [];
  const named = (taken: readonly (KeyMeaning | TensorMeaning)[]): string =>
    listed(meanings.flatMap(([word, meaning]) => (taken.includes(meaning) ? [code(word)] : [])));
  const refused = meanings.flatMap(([word, meaning]) => {
    if (!(meaning instanceof Refused)) return [];
    const accepted = meaning.unless.map((one) => code(JSON.stringify(one))).join(', ');
    const unless = where === 'tensors' ? '' : `; unless ${accepted}`;
    return [`${code(word)} (${meaning.why}${unless})`];
  });
  const cells = [code(format), where, named(['honored', 'setting']), named(['harmless'])];
  return [`| ${[...cells, listed(refused)].join(' | ')} |`];
}

/** The objects of keys in a configuration, each with the paths it lies at. */
function objectsOf(keys: Keys, path = '', found = new Map<Keys, string[]>()): Map<Keys, string[]> {
  found.set(keys, [...(found.get(keys) ?? []), path]);
  for (const [key, entry] of Object.entries(keys))
    if (typeof entry === 'object' && !(entry instanceof Refused))
      objectsOf(entry, path === '' ? key : `${path}.${key}`, found);
  return found;
}

const isMeaning = (entry: KeyMeaning | Keys): entry is KeyMeaning =>
  typeof entry === 'string' || entry instanceof Refused;

function rowsOf({ name, folder, vocabulary }: Format): string[] {
  if (vocabulary === undefined) return [];
  const { keys, tensors, values = {} } = vocabulary;
  const config = folder?.config ?? 'the .json';
  const objects = [...objectsOf(keys)].flatMap(([own, paths]) => {
    const meanings = Object.entries(own).flatMap(([word, entry]) =>
      isMeaning(entry) ? [[word, entry] as const] : [],
    );
    const where = paths.map((path) => (path === '' ? code(config) : code(path))).join(', ');
    return row(name, where, meanings);
  });
  return [
    ...objects,
    ...row(name, 'values in the `.pt`', Object.entries(values)),
    ...row(
      name,
      'tensors',
      Object.entries(tensors).filter(([word]) => word !== '*'),
    ),
  ];
}

export function vocabularyDocument(formats: readonly Format[]): string {
  return [
    '| format | in | honored | harmless | refused |',
    '|---|---|---|---|---|',
    ...formats.flatMap(rowsOf),
  ].join('\n');
}
