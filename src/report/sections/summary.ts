/** The summary, which stands alone: what was compared, the numbers that matter, the verdict. */
import { placeText } from '../../findings/place.js';
import { scalarFieldsOf } from '../../metrics/table.js';
import type { EvaluationResult, SaeResult, Statement } from '../../schema/index.js';
import { partOf, summarize } from '../../summary/index.js';
import { isNearIdentity } from '../best.js';
import { cell, heading, type Block, type Table } from '../document.js';
import type { Words } from '../language/words.js';
import { estimateOf } from '../metric-rows.js';
import { entriesOf, saeTable } from './results.js';

/** Fields that matter most. */
const telling = {
  strict: ['L0', 'NormMSE', 'KLDivPerToken', 'Recovered'],
  reference: ['NormMSE', 'KLDiv', 'DeltaCE', 'Recovered'],
} as const;

/** Rows above which the table of the summary is cut. */
const mostRows = 12;

/** The statements of a result; those of 0.1.0's results are made anew. */
export const statementsOf = (result: EvaluationResult): readonly Statement[] =>
  (result.summary ?? summarize(result)).statements;

/** Trained SAEs by KL, then near-identities, then baselines, then those without a value. */
function inOrder(result: EvaluationResult, protocol: 'reference' | 'strict'): SaeResult[] {
  const kl = scalarFieldsOf(protocol).find(({ field }) =>
    ['KLDivPerToken', 'KLDiv'].includes(field),
  )!;
  const rank = (sae: SaeResult): number =>
    sae.error !== null
      ? 3
      : sae.kind === 'RandomK'
        ? 2
        : isNearIdentity({ sae, run: result })
          ? 1
          : 0;
  const value = (sae: SaeResult): number => estimateOf(sae, kl)?.mean ?? Infinity;
  return result.results.toSorted((a, b) => rank(a) - rank(b) || value(a) - value(b) || 0);
}

/** The numbers that matter of the first SAEs, with the layers of each. */
function summaryTable(result: EvaluationResult, words: Words): Table {
  const protocol = result.config.protocol.includes('strict') ? 'strict' : 'reference';
  const all = inOrder(result, protocol);
  const shown = all.slice(0, mostRows);
  const table = saeTable(entriesOf({ ...result, results: shown }), protocol, words, {
    fields: telling[protocol],
    columns: [
      {
        title: words.layersColumn,
        cell: (sae) => cell(placeText(sae), sae.layer ?? sae.layers?.[0] ?? 0),
      },
    ],
  });
  const more = all.length - shown.length;
  return {
    ...table,
    caption: words.summaryCaption(protocol),
    notes: [...(table.notes ?? []), ...(more === 0 ? [] : [words.moreSaes(more)])],
  };
}

export function summarySection(result: EvaluationResult, words: Words): Block[] {
  const { lang } = words;
  const said = (part: 'compared' | 'verdict' | 'conclusion'): string[] =>
    statementsOf(result)
      .filter(({ code }) => partOf(code) === part)
      .map(({ message }) => message[lang]);
  const [verdict, conclusion] = [said('verdict'), said('conclusion')];
  return [
    heading(2, words.summary, 'summary'),
    ...said('compared').map((text): Block => ({ kind: 'paragraph', text, role: 'lead' })),
    { kind: 'table', table: summaryTable(result, words) },
    ...(verdict.length === 0 ? [] : [{ kind: 'list' as const, items: verdict }]),
    ...(conclusion.length === 0
      ? []
      : [heading(3, words.conclusions), { kind: 'list' as const, items: conclusion }]),
  ];
}
