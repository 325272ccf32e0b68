/** Dead, dense and twin latents of each SAE, if the run has a latents table. */
import { twinsFrom, type EvaluationResult } from '../../schema/index.js';
import { cell, heading, paragraph, type Block } from '../document.js';
import { latentsWords } from '../language/latents.js';
import type { Words } from '../language/words.js';
import { notAvailable, percent } from '../numbers.js';

export function latentsSection({ latents = [] }: EvaluationResult, { lang }: Words): Block[] {
  if (latents.length === 0) return [];
  const words = latentsWords[lang];
  return [
    heading(2, words.title, 'latents'),
    paragraph(words.line(twinsFrom)),
    {
      kind: 'table',
      table: {
        caption: words.title,
        numeric: true,
        head: [...words.head],
        rows: latents.map(({ sae, m, positions, ...counts }) => [
          cell(sae),
          cell(String(m), m),
          cell(String(positions), positions),
          ...[counts.dead, counts.dense, counts.twins].map((count) =>
            count === null
              ? cell(notAvailable)
              : cell(`${count} (${percent(count / Math.max(1, m))})`, count),
          ),
        ]),
      },
    },
  ];
}
