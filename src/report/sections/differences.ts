/** Paired differences: each SAE against the best, and those that cannot be told from it. */
import { namesIn } from '../../findings/names.js';
import { metrics, scalarFieldsOf } from '../../metrics/table.js';
import type { Comparison, EvaluationResult, SaeResult } from '../../schema/index.js';
import { bestOf, containsZero } from '../best.js';
import { cell, heading, paragraph, type Block } from '../document.js';
import type { Words } from '../language/words.js';
import { estimateOf } from '../metric-rows.js';
import { estimate, interval, notAvailable, number } from '../numbers.js';
import { entriesOf } from './results.js';

/** Metrics whose differences have a table; the result has those of all. */
const shown = ['KLDivPerToken', 'NormMSE', 'DeltaCE'];

/** The comparison of a pair, as `a` minus `b`. */
function pairOf(all: readonly Comparison[], a: string, b: string): Comparison | undefined {
  const found = all.find((one) => [one.a, one.b].includes(a) && [one.a, one.b].includes(b));
  if (found === undefined || found.a === a) return found;
  return {
    ...found,
    a,
    b,
    difference: -found.difference,
    ci95: found.ci95 === null ? null : [-found.ci95[1], -found.ci95[0]],
  };
}

export function differencesSection(result: EvaluationResult, words: Words): Block[] {
  const fields = scalarFieldsOf('strict', metrics).filter(({ field }) => shown.includes(field));
  const tables = fields.flatMap((field): Block[] => {
    const all = result.comparisons.filter(({ metric }) => metric === field.field);
    if (all.length === 0) return [];
    const named = new Set(all.flatMap(({ a, b }) => [a, b]));
    const sign = field.better === 'higher' ? -1 : 1;
    const mean = (sae: SaeResult): number => estimateOf(sae, field)?.mean ?? Infinity;
    const saes = result.results
      .filter(({ label }) => named.has(label))
      .toSorted((a, b) => sign * (mean(a) - mean(b)));
    const marked = [...bestOf(entriesOf({ ...result, results: saes }), field)];
    // The first marked one is the best that can be recommended; without one, the first is taken.
    const base = saes[marked[0] ?? 0]!.label;
    return [
      {
        kind: 'table',
        table: {
          caption: field.name[words.lang],
          numeric: true,
          head: [words.saeColumn, words.value, words.differenceTo(base), words.notToldFrom],
          rows: saes.map((sae) => {
            const pair = pairOf(all, sae.label, base);
            const open = all
              .filter((one) => containsZero(one) && [one.a, one.b].includes(sae.label))
              .map((one) => (one.a === sae.label ? one.b : one.a));
            return [
              cell(sae.label),
              cell(estimate(estimateOf(sae, field)), mean(sae)),
              sae.label === base
                ? cell('–', 0)
                : pair === undefined
                  ? cell(notAvailable)
                  : cell(`${number(pair.difference)} ${interval(pair.ci95)}`, pair.difference),
              cell(open.length === 0 ? '–' : namesIn(words.lang, open, 5)),
            ];
          }),
        },
      },
    ];
  });
  return tables.length === 0
    ? []
    : [heading(2, words.comparisons, 'differences'), paragraph(words.comparisonsLine), ...tables];
}
