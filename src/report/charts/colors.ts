/** Colors of series. Runs in browsers too. */
import type { Chart } from './chart.js';

/** The Okabe–Ito palette without black and yellow, for people who cannot tell red from green. */
export const palette = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#8a6d3b',
  '#7b61c9',
] as const;

/** A legend's entry. */
export interface ColorName {
  name: string;
  color: string;
}

export interface ChartColors {
  /** Color of each series, in their order. */
  series: string[];
  /** Entries of the legend; none for a single series. */
  legend: ColorName[];
}

/** A color for each series, or, if there are more series than colors, for each of their groups. */
export function colorsOf({ series }: Pick<Chart, 'series'>): ChartColors {
  const isByGroup = series.length > palette.length;
  const nameOf = (one: Chart['series'][number]): string =>
    isByGroup ? (one.group ?? one.name) : one.name;
  const names = [...new Set(series.map(nameOf))];
  const colorOf = (name: string): string => palette[names.indexOf(name) % palette.length]!;
  return {
    series: series.map((one) => colorOf(nameOf(one))),
    legend:
      names.length < 2 || names.length > palette.length
        ? []
        : names.map((name) => ({ name, color: colorOf(name) })),
  };
}
