/** How much the dictionaries of a run's SAEs are the same. */
import type {
  DictionaryComparison,
  DictionarySimilarity,
  EvaluationResult,
} from '../../schema/index.js';
import { cell, heading, paragraph, type Block, type Cell } from '../document.js';
import { dictionaryWords } from '../language/dictionaries.js';
import type { Words } from '../language/words.js';
import { notAvailable, number } from '../numbers.js';

const shown = (value: number | null): Cell =>
  value === null ? cell(notAvailable) : cell(number(value), value);

function tableOf(
  caption: string,
  entries: readonly { pair: DictionaryComparison; found: DictionarySimilarity }[],
  lang: Words['lang'],
): Block[] {
  if (entries.length === 0) return [];
  const words = dictionaryWords[lang];
  const notes = entries.flatMap(({ pair, found }) =>
    found.leftOut[0] + found.leftOut[1] === 0
      ? []
      : [`${pair.a} – ${pair.b}: ${words.leftOut(found.leftOut)}`],
  );
  return [
    {
      kind: 'table',
      table: {
        caption,
        numeric: true,
        head: [...words.head],
        meanings: words.meanings,
        rows: entries.map(({ pair, found }) => [
          cell(`${pair.a} – ${pair.b}`),
          cell(found.latents.join(' × ')),
          shown(found.pwMcc),
          found.shared === null
            ? cell(notAvailable)
            : cell(`${number(100 * found.shared)} %`, found.shared),
          shown(found.mmcs),
          shown(found.mmcsTurned),
          cell(found.method === 'exact' ? words.exact : words.auction(number(found.gap))),
        ]),
        ...(notes.length === 0 ? {} : { notes }),
      },
    },
  ];
}

export function dictionariesSection({ dictionaries }: EvaluationResult, { lang }: Words): Block[] {
  if (dictionaries === undefined) return [];
  const words = dictionaryWords[lang];
  const title = heading(2, words.title, 'dictionaries');
  if (dictionaries.length === 0) return [title, paragraph(words.none)];
  const decoders = dictionaries.map((pair) => ({ pair, found: pair.decoders }));
  const activations = dictionaries.flatMap((pair) =>
    pair.activations === null ? [] : [{ pair, found: pair.activations }],
  );
  return [
    title,
    paragraph(words.line),
    ...tableOf(words.decoders, decoders, lang),
    ...tableOf(words.activations, activations, lang),
    ...dictionaries.flatMap(({ a, b, notes }) =>
      notes.map((note) => paragraph(`${a} – ${b}: ${note[lang]}`)),
    ),
  ];
}
