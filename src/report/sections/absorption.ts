/** First-letter absorption of a run's SAEs. */
import type { EvaluationResult } from '../../schema/index.js';
import { cell, heading, paragraph, type Block } from '../document.js';
import { absorptionWords } from '../language/absorption.js';
import type { Words } from '../language/words.js';
import { estimate, notAvailable, number } from '../numbers.js';

export function absorptionSection({ absorption }: EvaluationResult, { lang }: Words): Block[] {
  if (absorption === undefined) return [];
  const words = absorptionWords[lang];
  const title = heading(2, words.title, 'absorption');
  if (absorption.saes.length === 0) return [title, paragraph(words.none)];
  return [
    title,
    paragraph(words.line(absorption.words.toLocaleString(lang))),
    {
      kind: 'table',
      table: {
        caption: words.title,
        numeric: true,
        head: [...words.head],
        meanings: words.meanings,
        rows: absorption.saes.map(({ sae, fraction, full, splits, letters }) => [
          cell(sae),
          cell(String(letters.length), letters.length),
          fraction === null ? cell(notAvailable) : cell(estimate(fraction), fraction.mean),
          full === null ? cell(notAvailable) : cell(estimate(full), full.mean),
          splits === null ? cell(notAvailable) : cell(number(splits), splits),
        ]),
      },
    },
    ...absorption.saes.flatMap(({ sae, error }) =>
      error === null ? [] : [paragraph(`${sae}: ${error.message}`)],
    ),
  ];
}
