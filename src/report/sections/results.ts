/** Main tables, per-layer tables, sweeps and paired differences. */
import type { EvaluationResult, SaeResult } from '../../schema/index.js';
import { cell, heading, paragraph, type Block, type Cell, type Table } from '../document.js';
import type { Dictionary } from '../language/dictionary.js';
import { arrow, bestOf, referenceRows, strictRows, type Better } from '../metric-rows.js';
import { estimate, interval, notAvailable, number } from '../numbers.js';

interface Row {
  field: string;
  better: Better;
  texts: string[];
  values: (number | null)[];
}

function table(
  caption: string,
  rows: readonly Row[],
  words: Dictionary,
  { names, markBest = true }: { names: readonly string[]; markBest?: boolean },
): Table {
  return {
    caption,
    numeric: true,
    head: [words.metricColumn, ...names],
    rows: rows.map(({ field, better, texts, values }) => {
      const best = markBest ? bestOf(values, better) : new Set<number>();
      return [
        cell(`${words.metric[field]?.name ?? field}${arrow[better]}`),
        ...texts.map((text, i): Cell => ({ text, best: best.has(i) })),
      ];
    }),
  };
}

export interface MainTableOptions {
  /** Of the columns; default the labels. */
  names?: readonly string[];
  /** Which metrics; default all. */
  fields?: readonly string[];
  /** Whether the best of each metric is marked; default true. */
  markBest?: boolean;
}

export function mainTable(
  results: readonly SaeResult[],
  protocol: 'reference' | 'strict',
  words: Dictionary,
  { names = results.map(({ label }) => label), fields, markBest = true }: MainTableOptions = {},
): Table {
  const rows =
    protocol === 'reference'
      ? referenceRows.map(({ field, better, value }): Row => ({
          field,
          better,
          texts: results.map((one) => number(value(one))),
          values: results.map(value),
        }))
      : strictRows.map(({ field, better, value }): Row => ({
          field,
          better,
          texts: results.map((one) => estimate(value(one))),
          values: results.map((one) => value(one)?.mean ?? null),
        }));
  return table(
    words.resultsUnder(protocol),
    rows.filter(
      ({ field, values }) =>
        (fields?.includes(field) ?? true) && values.some((value) => value !== null),
    ),
    words,
    { names, markBest },
  );
}

export function resultsSection(
  { results, config }: EvaluationResult,
  lang: 'en' | 'zh',
  words: Dictionary,
): Block[] {
  const failed = results.filter(({ error }) => error !== null);
  return config.protocol
    .flatMap((protocol): Block[] => {
      const notes = results.flatMap(({ label, notes: own }) =>
        own
          .filter(({ metric }) => metric.startsWith(`${protocol}.`))
          .map((note) => ({ label, ...note })),
      );
      const shown = new Set(
        (protocol === 'reference' ? referenceRows : strictRows).map(
          ({ field }) => `${protocol}.${field}`,
        ),
      );
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

export function perLayerSection({ results }: EvaluationResult, words: Dictionary): Block[] {
  const tables = results
    .filter(({ perLayer }) => perLayer !== null)
    .map(({ label, perLayer }): Block => {
      const rows = perLayer!;
      const name = (field: string): string => words.metric[field]?.name ?? field;
      return {
        kind: 'table',
        table: {
          caption: label,
          numeric: true,
          head: [
            words.layer,
            `${name('NormMSE')} (reference)`,
            `${name('KLDiv')} (reference)`,
            words.splicedAt,
            `${name('NormMSE')} (strict)`,
            `${name('KLDivPerToken')} (strict)`,
            `${name('DeltaCE')} (strict)`,
            `${name('Recovered')} (strict)`,
          ],
          rows: rows.map(({ layer, reference, strict }) => [
            cell(String(layer)),
            cell(number(reference?.NormMSE)),
            cell(number(reference?.KLDiv)),
            cell(number(reference?.splicedAt)),
            cell(number(strict?.NormMSE?.mean)),
            cell(estimate(strict?.KLDivPerToken)),
            cell(number(strict?.DeltaCE?.mean)),
            cell(number(strict?.Recovered?.mean)),
          ]),
        },
      };
    });
  const routed = results
    .filter(({ reference, strict }) => reference?.RoutedPositions || strict?.RoutingShare)
    .map(({ label, layers, reference, strict }): Block => ({
      kind: 'table',
      table: {
        caption: label,
        numeric: true,
        head: [
          words.layer,
          words.metric['RoutedPositions']!.name,
          words.metric['RoutingShare']!.name,
        ],
        rows: (layers ?? []).map((layer, j) => [
          cell(String(layer)),
          cell(number(reference?.RoutedPositions?.[j])),
          cell(number(strict?.RoutingShare?.[j])),
        ]),
      },
    }));
  const all = [...routed, ...tables];
  return all.length === 0 ? [] : [heading(2, words.perLayer), ...all];
}

export function sweepSection({ results }: EvaluationResult, words: Dictionary): Block[] {
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
          ...['L0', 'NormMSE', 'KLDivPerToken', 'DeltaCE'].map(
            (field) => words.metric[field]!.name,
          ),
          `${words.metric['KLDiv']!.name} (reference)`,
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

/** Above this many pairs only the primary metric is shown; the result file has them all. */
const mostPairs = 40;

export function comparisonsSection({ comparisons }: EvaluationResult, words: Dictionary): Block[] {
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
        caption: words.metric[metric]?.name ?? metric,
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
