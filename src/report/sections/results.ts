/** Main tables and per-layer tables. */
import { namesIn } from '../../findings/names.js';
import type { Field } from '../../metrics/metric.js';
import {
  fieldsOf,
  metrics,
  readsSplices,
  scalarFieldsOf,
  type Table as Metrics,
} from '../../metrics/table.js';
import {
  ownProtocols,
  protocolNames,
  type Estimate,
  type EvaluationResult,
  type SaeResult,
} from '../../schema/index.js';
import { bestOf, isNearIdentity, type Entry } from '../best.js';
import { cell, heading, paragraph, type Block, type Cell, type Table } from '../document.js';
import type { Words } from '../language/words.js';
import { arrow, estimateOf, valueOf } from '../metric-rows.js';
import { estimate, number } from '../numbers.js';

/** The SAEs of a result, as tables and marks read them. */
export const entriesOf = (result: EvaluationResult): Entry[] =>
  result.results.map((sae) => ({ sae, run: result }));

/** Label of an SAE, with a mark if it is close to an identity. */
const labeled = (entry: Entry, name: string): string =>
  isNearIdentity(entry) ? `${name} ${nearIdentityMark}` : name;

/** Mark of near-identities. */
const nearIdentityMark = '†';

export interface SaeTableOptions {
  /** Names of the rows; default the labels. */
  names?: readonly string[];
  /** Fields that have a column; default all. */
  fields?: readonly string[];
  /** Columns before those of the metrics. */
  columns?: readonly { title: string; cell: (sae: Entry['sae'] & Partial<SaeResult>) => Cell }[];
  /** Whether the best of each metric is marked; default true. */
  markBest?: boolean;
  /** Metrics that can have a column; default all. */
  table?: Metrics;
}

/** SAEs below one another, one column for each field that any of them has. */
export function saeTable(
  entries: readonly Entry[],
  protocol: 'reference' | 'strict',
  words: Words,
  {
    names = entries.map(({ sae }) => sae.label),
    fields,
    columns: before = [],
    markBest = true,
    table = metrics,
  }: SaeTableOptions = {},
): Table {
  const columns = scalarFieldsOf(protocol, table)
    .filter(({ field }) => fields?.includes(field) ?? true)
    .map((field) => ({
      field,
      values: entries.map(({ sae }) => estimateOf(sae, field)),
      best: markBest ? bestOf(entries, field) : new Set<number>(),
    }))
    .filter(({ values }) => values.some((value) => value !== null));
  const hasMarks = entries.some(isNearIdentity);
  const hasBest = columns.some(({ best }) => best.size > 0);
  return {
    caption: words.resultsUnder(protocol),
    numeric: true,
    head: [
      words.saeColumn,
      ...before.map(({ title }) => title),
      ...columns.map(({ field: { name, better } }) => `${name[words.lang]}${arrow[better]}`),
    ],
    meanings: [
      null,
      ...before.map(() => null),
      ...columns.map(({ field: { meaning } }) => meaning[words.lang]),
    ],
    rows: entries.map((entry, i) => [
      cell(labeled(entry, names[i]!)),
      ...before.map((column) => column.cell(entry.sae)),
      ...columns.map(({ values, best }): Cell => ({
        text: estimate(values[i]),
        ...(values[i] ? { sort: values[i].mean } : {}),
        best: best.has(i),
      })),
    ]),
    notes: [
      ...(hasMarks ? [`${nearIdentityMark} ${words.nearIdentityNote}`] : []),
      ...(hasBest ? [words.bestNote] : []),
    ],
  };
}

/** The same with a row for each field, for terminals: SAEs side by side. */
export function mainTable(
  entries: readonly Entry[],
  protocol: 'reference' | 'strict',
  words: Words,
  options: SaeTableOptions = {},
): Table {
  const { caption, head, rows, notes } = saeTable(entries, protocol, words, options);
  return {
    caption,
    numeric: true,
    head: [words.metricColumn, ...rows.map(([first]) => first!.text)],
    rows: head.slice(1).map((name, column) => [cell(name), ...rows.map((row) => row[column + 1]!)]),
    ...(notes === undefined ? {} : { notes }),
  };
}

/** Why values are missing: one line for each reason, with the SAEs and metrics. */
function missingLines(
  { results }: EvaluationResult,
  protocol: 'reference' | 'strict',
  words: Words,
): string[] {
  const names = new Map(
    scalarFieldsOf(protocol).map(({ field, name }) => [`${protocol}.${field}`, name[words.lang]]),
  );
  const byReason = new Map<string, Map<string, string[]>>();
  for (const { label, notes } of results)
    for (const note of notes) {
      const name = names.get(note.metric);
      if (name === undefined) continue;
      const reason = note[words.lang];
      const byMetrics = byReason.get(reason) ?? new Map<string, string[]>();
      byReason.set(reason, byMetrics.set(label, [...(byMetrics.get(label) ?? []), name]));
    }
  return [...byReason].map(([reason, bySae]) => {
    const who = [...bySae].map(
      ([label, metricNames]) => `${label}${words.separator}${namesIn(words.lang, metricNames)}`,
    );
    return words.missing(namesIn(words.lang, who), reason);
  });
}

/** Which columns of a table are over the first samples alone. */
function overFirstLine(
  { data: { spliceSamples }, results }: EvaluationResult,
  protocol: 'reference' | 'strict',
  words: Words,
): Block[] {
  if (spliceSamples === undefined) return [];
  const names = scalarFieldsOf(protocol, metrics.filter(readsSplices))
    .filter((field) => results.some((sae) => valueOf(sae, field) !== null))
    .map(({ name }) => name[words.lang]);
  return names.length === 0 ? [] : [paragraph(words.overFirst(spliceSamples, names))];
}

export function resultsSection(result: EvaluationResult, words: Words): Block[] {
  const failed = result.results.filter(({ error }) => error !== null);
  return ownProtocols(result.config.protocol)
    .flatMap((protocol): Block[] => {
      const lines = missingLines(result, protocol, words);
      return [
        heading(2, words.resultsUnder(protocol), `results-${protocol}`),
        paragraph(words.protocolLine[protocol]),
        { kind: 'table', table: saeTable(entriesOf(result), protocol, words) },
        ...overFirstLine(result, protocol, words),
        ...(lines.length === 0 ? [] : [{ kind: 'list' as const, items: lines }]),
      ];
    })
    .concat(
      failed.map(({ label, error }) =>
        paragraph(`${label} ${words.failed(error!.code, error!.message)}`),
      ),
    );
}

/** Fields of both protocols that some row has, with titles that name the protocol. */
function columnsWith(
  fields: (protocol: 'reference' | 'strict') => readonly Field[],
  has: (field: Field) => boolean,
  { lang }: Words,
): { field: Field; title: string }[] {
  return protocolNames
    .flatMap(fields)
    .filter(has)
    .map((field) => ({ field, title: `${field.name[lang]} (${field.protocol})` }));
}

/** The values of all layers of an SAE replaced together. */
function replacementLine({ replacement }: SaeResult, words: Words): Block[] {
  if (replacement === undefined || replacement === null) return [];
  const values = scalarFieldsOf('strict').flatMap(({ field, name }) => {
    const value = replacement[field as keyof typeof replacement] as Estimate | null | undefined;
    return value ? [`${name[words.lang]} ${estimate(value)}`] : [];
  });
  return [paragraph(`${words.replacement}${words.separator}${values.join(words.semicolon)}`)];
}

/** Values of each layer, and lists over the routed layers. */
export function perLayerSection({ results }: EvaluationResult, words: Words): Block[] {
  const blocks = results.flatMap((result): Block[] => {
    const { label, layers = [], perLayer } = result;
    const table = (head: string[], rows: Cell[][]): Block => ({
      kind: 'table',
      table: { caption: label, numeric: true, head: [words.layer, ...head], rows },
    });
    const lists = columnsWith(
      (protocol) => fieldsOf(protocol).filter(({ shape }) => shape === 'list'),
      (field) => valueOf(result, field) !== null,
      words,
    );
    const ofLayers = columnsWith(
      (protocol) => fieldsOf(protocol).filter((field) => field.perLayer === true),
      (field) => (perLayer ?? []).some((row) => valueOf(row, field) !== null),
      words,
    );
    return [
      ...(lists.length === 0
        ? []
        : [
            table(
              lists.map(({ title }) => title),
              layers.map((layer, j) => [
                cell(String(layer), layer),
                ...lists.map(({ field }) => cell(number((valueOf(result, field) as number[])[j]))),
              ]),
            ),
          ]),
      ...(perLayer === null
        ? []
        : [
            table(
              [
                ...ofLayers.map(({ title }) => title),
                ...protocolNames.map((protocol) => `${words.splicedAt} (${protocol})`),
              ],
              perLayer.map((row) => [
                cell(String(row.layer), row.layer),
                ...ofLayers.map(({ field }) => cell(estimate(estimateOf(row, field)))),
                ...protocolNames.map((protocol) => cell(number(row[protocol]?.splicedAt))),
              ]),
            ),
          ]),
      ...replacementLine(result, words),
    ];
  });
  return blocks.length === 0 ? [] : [heading(2, words.perLayer, 'layers'), ...blocks];
}
