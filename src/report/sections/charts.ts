/** The charts of a report, each with the table of its numbers. */
import { fieldsOf } from '../../metrics/table.js';
import type { DensityHistogram, Estimate } from '../../metrics/value.js';
import type { EvaluationResult, SaeResult, SweepPoint } from '../../schema/index.js';
import type { Chart, Series } from '../charts/chart.js';
import { cell, heading, type Block, type Table } from '../document.js';
import type { Words } from '../language/words.js';
import { nameOf, valueOf } from '../metric-rows.js';
import { number } from '../numbers.js';
import { isOverPrefixes, prefixesOf } from '../sweep-setting.js';

const errorOf = ({ strict, reference }: SaeResult | SweepPoint): number | null =>
  strict?.NormMSE?.mean ?? reference?.NormMSE ?? null;
const klOf = ({ strict, reference }: SaeResult | SweepPoint): number | null =>
  strict?.KLDivPerToken?.mean ?? reference?.KLDiv ?? null;
const l0Of = ({ strict }: SaeResult | SweepPoint): number | null => strict?.L0?.mean ?? null;

const meanOf = (mean: number | null | undefined): Estimate | null =>
  mean === null || mean === undefined ? null : { mean };

/** Series up to which a table has a column for each. */
const mostColumns = 12;

/** Series that share their x as columns; others with a row for each point. */
function tableOf({ title, form, x, y, series }: Chart, words: Words): Table {
  const places = [...new Set(series.flatMap(({ points }) => points.map((point) => point.x)))];
  const base = { caption: title, numeric: true };
  if (form !== 'scatter' && series.length <= mostColumns) {
    const valueAt = (one: Series, place: number): number | undefined =>
      one.points.find((point) => point.x === place)?.y;
    return {
      ...base,
      head: [x.name, ...series.map(({ name }) => name)],
      rows: places
        .toSorted((a, b) => a - b)
        .map((place) => [
          cell(number(place), place),
          ...series.map((one) => cell(number(valueAt(one, place)), valueAt(one, place))),
        ]),
    };
  }
  return {
    ...base,
    head: [words.saeColumn, x.name, y.name],
    rows: series.flatMap(({ name, points }) =>
      points.map((point) => [
        cell(point.label ?? name),
        cell(number(point.x), point.x),
        cell(number(point.y), point.y),
      ]),
    ),
  };
}

/** One point for each SAE that has both values. */
function scatter(
  results: readonly SaeResult[],
  x: (one: SaeResult) => number | null,
  y: (one: SaeResult) => number | null,
): Series[] {
  return results.flatMap((one) => {
    const [px, py] = [x(one), y(one)];
    const ci95 = one.strict?.KLDivPerToken?.ci95;
    return px === null || py === null || px <= 0 || py <= 0
      ? []
      : [
          {
            name: one.label,
            group: one.kind,
            points: [
              {
                x: px,
                y: py,
                ...(ci95 === undefined || ci95 === null || ci95[0] <= 0 ? {} : { interval: ci95 }),
              },
            ],
          },
        ];
  });
}

export function chartsSection({ results: all }: EvaluationResult, words: Words): Block[] {
  const results = all.filter(({ error }) => error === null);
  const name = (field: string): string => nameOf(field, words);
  const strict = results.some(({ strict: values }) => values !== null);
  const kl = { name: name(strict ? 'KLDivPerToken' : 'KLDiv'), log: true };
  const chart = (
    form: Chart['form'],
    title: string,
    x: Chart['x'],
    y: Chart['y'],
    series: Series[],
    { frontier = false }: { frontier?: boolean } = {},
  ): Chart => ({
    form,
    title,
    x,
    y,
    series,
    ...(frontier ? { frontier } : {}),
    description: words.chartDescription(
      y.name,
      x.name,
      series.map((one) => one.name),
    ),
  });
  const perLayer = (
    value: (row: NonNullable<SaeResult['perLayer']>[number]) => number | null | undefined,
  ): Series[] =>
    results.flatMap(({ label, kind, perLayer: rows }) => {
      const points = (rows ?? []).flatMap((row) => {
        const y = value(row);
        return y === null || y === undefined ? [] : [{ x: row.layer, y }];
      });
      return points.length < 2 ? [] : [{ name: label, group: kind, points }];
    });
  const overPrefixes = (value: (one: SaeResult | SweepPoint) => Estimate | null): Series[] =>
    results.filter(isOverPrefixes).flatMap((sae): Series[] => {
      const points = prefixesOf(sae).flatMap(({ prefix, values }): Series['points'] => {
        const found = value(values);
        if (found === null || found.mean <= 0) return [];
        const { mean, ci95 } = found;
        return [{ x: prefix, y: mean, ...(ci95 && ci95[0] > 0 ? { interval: ci95 } : {}) }];
      });
      return points.length < 2 ? [] : [{ name: sae.label, group: sae.kind, points }];
    });
  const frontier = results.flatMap((sae): Series[] => {
    const { label, kind, sweep } = sae;
    const points = (isOverPrefixes(sae) ? [] : (sweep ?? []))
      .flatMap((point) => {
        const [x, y] = [l0Of(point), klOf(point)];
        return x === null || y === null || x <= 0 || y <= 0 ? [] : [{ x, y }];
      })
      .sort((a, b) => a.x - b.x);
    return points.length === 0 ? [] : [{ name: label, group: kind, points }];
  });
  const strictFields = fieldsOf('strict');
  const lists = strictFields
    .filter(({ shape }) => shape === 'list')
    .map((field) =>
      chart(
        'bar',
        words.charts.routing,
        { name: words.layer },
        { name: field.name[words.lang] },
        results.flatMap((result): Series[] => {
          const list = valueOf(result, field) as number[] | null;
          const { label, kind, layers } = result;
          return list === null
            ? []
            : [
                {
                  name: label,
                  group: kind,
                  points: list.map((y, j) => ({ x: layers?.[j] ?? j, y })),
                },
              ];
        }),
      ),
    );
  const histograms = strictFields
    .filter(({ shape }) => shape === 'histogram')
    .map((field) =>
      chart(
        'line',
        words.charts.density,
        { name: words.charts.firingRate },
        { name: words.charts.latents },
        results.flatMap((result): Series[] => {
          const histogram = valueOf(result, field) as DensityHistogram | null;
          return histogram === null
            ? []
            : [
                {
                  name: result.label,
                  group: result.kind,
                  points: histogram.count.map((y, i) => ({
                    x: (histogram.log10[i]! + histogram.log10[i + 1]!) / 2,
                    y,
                  })),
                },
              ];
        }),
      ),
    );
  const charts: Chart[] = [
    chart(
      'scatter',
      words.charts.errorAgainstKl,
      { name: name('NormMSE'), log: true },
      kl,
      scatter(results, errorOf, klOf),
    ),
    chart(
      'scatter',
      words.charts.sparsityAgainstKl,
      { name: name('L0'), log: true },
      kl,
      scatter(results, l0Of, klOf),
      { frontier: true },
    ),
    chart('line', words.charts.frontier, { name: name('L0'), log: true }, kl, frontier),
    chart(
      'line',
      words.charts.prefixKl,
      { name: words.charts.prefix, log: true },
      kl,
      overPrefixes(({ strict: own, reference }) =>
        strict ? (own?.KLDivPerToken ?? null) : meanOf(reference?.KLDiv),
      ),
    ),
    chart(
      'line',
      words.charts.prefixError,
      { name: words.charts.prefix, log: true },
      { name: name('NormMSE'), log: true },
      overPrefixes(({ strict: own, reference }) =>
        strict ? (own?.NormMSE ?? null) : meanOf(reference?.NormMSE),
      ),
    ),
    chart(
      'line',
      words.charts.perLayerError,
      { name: words.layer },
      { name: name('NormMSE') },
      perLayer((row) => row.strict?.NormMSE?.mean ?? row.reference?.NormMSE),
    ),
    chart(
      'line',
      words.charts.perLayerKl,
      { name: words.layer },
      { name: kl.name },
      perLayer((row) => (strict ? row.strict?.KLDivPerToken?.mean : row.reference?.KLDiv)),
    ),
    ...lists,
    ...histograms,
  ].filter(({ series, form }) => series.length >= (form === 'scatter' ? 2 : 1));
  return charts.length === 0
    ? []
    : [
        heading(2, words.charts.title, 'charts'),
        ...charts.map((one): Block => ({ kind: 'chart', chart: one, table: tableOf(one, words) })),
      ];
}
