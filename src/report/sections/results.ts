/** Main tables, per-layer tables, sweeps and paired differences. */
import type { Field } from '../../metrics/metric.js';
import { fieldsOf, metrics, scalarFieldsOf, type Table as Metrics } from '../../metrics/table.js';
import { protocolNames, type EvaluationResult, type SaeResult } from '../../schema/index.js';
import { cell, heading, paragraph, type Block, type Cell, type Table } from '../document.js';
import type { Words } from '../language/words.js';
import { arrow, bestOf, estimateOf, nameOf, valueOf } from '../metric-rows.js';
import { estimate, interval, notAvailable, number } from '../numbers.js';

export interface MainTableOptions {
  /** Names of the columns; default the labels. */
  names?: readonly string[];
  /** Fields that have a row; default all. */
  fields?: readonly string[];
  /** Whether the best of each metric is marked, if they count the same positions; default true. */
  markBest?: boolean;
  /** Metrics that can have a row; default all. */
  table?: Metrics;
}

/** Whether these SAEs count the same positions under strict, so that one can be the best. */
const countTheSame = (results: readonly SaeResult[]): boolean =>
  new Set(results.flatMap(({ positions }) => JSON.stringify(positions?.exclude) ?? [])).size < 2;

/** SAEs side by side, one row for each field that any of them has. */
export function mainTable(
  results: readonly SaeResult[],
  protocol: 'reference' | 'strict',
  words: Words,
  {
    names = results.map(({ label }) => label),
    fields,
    markBest = true,
    table = metrics,
  }: MainTableOptions = {},
): Table {
  const rows = scalarFieldsOf(protocol, table)
    .filter(({ field }) => fields?.includes(field) ?? true)
    .map((field) => ({ field, values: results.map((one) => estimateOf(one, field)) }))
    .filter(({ values }) => values.some((value) => value !== null));
  const isRanked = markBest && (protocol === 'reference' || countTheSame(results));
  return {
    caption: words.resultsUnder(protocol),
    numeric: true,
    head: [words.metricColumn, ...names],
    rows: rows.map(({ field: { name, better }, values }) => {
      const means = values.map((value) => value?.mean ?? null);
      const best = isRanked ? bestOf(means, better) : new Set<number>();
      return [
        cell(`${name[words.lang]}${arrow[better]}`),
        ...values.map((value, i): Cell => ({ text: estimate(value), best: best.has(i) })),
      ];
    }),
  };
}

export function resultsSection(
  { results, config }: EvaluationResult,
  lang: 'en' | 'zh',
  words: Words,
): Block[] {
  const failed = results.filter(({ error }) => error !== null);
  return config.protocol
    .flatMap((protocol): Block[] => {
      const notes = results.flatMap(({ label, notes: own }) =>
        own
          .filter(({ metric }) => metric.startsWith(`${protocol}.`))
          .map((note) => ({ label, ...note })),
      );
      const shown = new Set(scalarFieldsOf(protocol).map(({ field }) => `${protocol}.${field}`));
      const byReason = new Map<string, string[]>();
      for (const note of notes.filter(({ metric }) => shown.has(metric))) {
        const reason = note[lang];
        byReason.set(reason, [
          ...(byReason.get(reason) ?? []),
          `${note.label} ${note.metric.slice(protocol.length + 1)}`,
        ]);
      }
      return [
        heading(2, words.resultsUnder(protocol)),
        paragraph(words.protocolLine[protocol]),
        { kind: 'table', table: mainTable(results, protocol, words) },
        ...(byReason.size === 0
          ? []
          : [
              {
                kind: 'list' as const,
                items: [...byReason].map(
                  ([reason, who]) =>
                    `${notAvailable} (${who.join(', ')})${words.separator}${reason}`,
                ),
              },
            ]),
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
                cell(String(layer)),
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
                cell(String(row.layer)),
                ...ofLayers.map(({ field }) => cell(estimate(estimateOf(row, field)))),
                ...protocolNames.map((protocol) => cell(number(row[protocol]?.splicedAt))),
              ]),
            ),
          ]),
    ];
  });
  return blocks.length === 0 ? [] : [heading(2, words.perLayer), ...blocks];
}

export function sweepSection({ results }: EvaluationResult, words: Words): Block[] {
  const swept = results.filter(({ sweep }) => sweep !== null);
  if (swept.length === 0) return [];
  return [
    heading(2, words.sweep),
    ...swept.map(({ label, sweep }): Block => ({
      kind: 'table',
      table: {
        caption: label,
        numeric: true,
        head: [
          sweep![0]!.inferK === undefined ? 'theta' : 'inferK',
          ...['L0', 'NormMSE', 'KLDivPerToken', 'DeltaCE'].map((field) => nameOf(field, words)),
          `${nameOf('KLDiv', words)} (reference)`,
        ],
        rows: sweep!.map(({ inferK, theta, strict, reference }) => [
          cell(String(inferK ?? theta)),
          cell(number(strict?.L0?.mean)),
          cell(number(strict?.NormMSE?.mean ?? reference?.NormMSE)),
          cell(estimate(strict?.KLDivPerToken)),
          cell(number(strict?.DeltaCE?.mean)),
          cell(number(reference?.KLDiv)),
        ]),
      },
    })),
  ];
}

/** Comparisons above which only NormMSE and KL per token are shown; the result has them all. */
const mostPairs = 40;

export function comparisonsSection({ comparisons }: EvaluationResult, words: Words): Block[] {
  const shown =
    comparisons.length > mostPairs
      ? comparisons.filter(({ metric }) => metric === 'KLDivPerToken' || metric === 'NormMSE')
      : comparisons;
  if (shown.length === 0) return [];
  const metrics = [...new Set(shown.map(({ metric }) => metric))];
  return [
    heading(2, words.comparisons),
    paragraph(words.comparisonsLine),
    ...metrics.map((metric): Block => ({
      kind: 'table',
      table: {
        caption: nameOf(metric, words),
        numeric: true,
        head: [words.pair, words.difference, '95 %'],
        rows: shown
          .filter((one) => one.metric === metric)
          .map(({ a, b, difference, ci95 }) => [
            cell(`${a} − ${b}`),
            cell(number(difference)),
            cell(interval(ci95) || notAvailable),
          ]),
      },
    })),
  ];
}
