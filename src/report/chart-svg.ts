/**
 * Draws charts as SVG text with echarts, without a browser. Colors are CSS variables, so that one
 * picture serves the light and the dark theme.
 */
import type * as Echarts from 'echarts';
import type { Axis, Chart } from './chart.js';

/** The package as one file without types; its four hundred modules load five times slower. */
const bundle = 'echarts/dist/echarts.esm.min.mjs';
const echarts = (await import(bundle)) as typeof Echarts;

const width = 720;
const height = 400;

/** echarts computes with colors, so placeholders stand for the CSS variables until the end. */
const variables: Record<string, string> = {
  '#010101': 'var(--ink)',
  '#020202': 'var(--soft)',
  '#030303': 'var(--line)',
  '#040404': 'var(--paper)',
};
const [ink, soft, line] = Object.keys(variables) as [string, string, string];
/** Series colors: the Okabe–Ito palette, for people who cannot tell red from green. */
const palette = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#8a6d3b',
  '#7b61c9',
];
const symbols = ['circle', 'rect', 'triangle', 'diamond'];

function axisOption(
  axis: Axis,
  { category = false, values = [] }: { category?: boolean; values?: readonly number[] },
): object {
  const text = { color: soft, fontSize: 12 };
  return {
    type: category ? 'category' : axis.log ? 'log' : 'value',
    name: axis.name,
    nameLocation: 'middle',
    nameGap: 38,
    nameTextStyle: { color: ink, fontSize: 13 },
    axisLabel: text,
    axisLine: { lineStyle: { color: soft } },
    splitLine: { show: !category, lineStyle: { color: line } },
    scale: !axis.log && values.every((value) => value > 0),
  };
}

/** One SVG element. `id` makes its references unique in the page. */
export function chartSvg(chart: Chart, id: string): string {
  const numbers = new Map<string, number>();
  const numberOf = (given: string): number =>
    numbers.get(given) ?? numbers.set(given, numbers.size).size - 1;
  const made = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    const points = chart.series.flatMap((series) => series.points);
    const category = chart.form === 'bar';
    const legend = chart.series.length > 1;
    made.setOption({
      animation: false,
      color: palette,
      textStyle: { fontFamily: 'system-ui, sans-serif' },
      grid: { left: 76, right: 28, top: legend ? 52 : 24, bottom: 60 },
      ...(legend
        ? {
            legend: {
              top: 8,
              textStyle: { color: ink },
              data: chart.series.map(({ name }) => name),
            },
          }
        : {}),
      xAxis: {
        ...axisOption(chart.x, { category, values: points.map(({ x }) => x) }),
        ...(category ? { data: points.map(({ x }) => String(x)) } : {}),
      },
      yAxis: {
        ...axisOption(chart.y, { values: points.map(({ y }) => y) }),
        nameGap: 54,
        ...(category ? { scale: false } : {}),
      },
      series: chart.series.map((series, index) => ({
        name: series.name,
        type: chart.form,
        symbol: symbols[index % symbols.length],
        symbolSize: chart.form === 'scatter' ? 13 : 6,
        showSymbol: series.points.length <= 12,
        lineStyle: { width: 2 },
        data: series.points.map(({ x, y }) => (category ? y : [x, y])),
      })),
    });
    return (
      Object.entries(variables)
        .reduce(
          (svg, [color, variable]) =>
            svg.replaceAll(color, variable).replaceAll(rgb(color), variable),
          made.renderToSVGString(),
        )
        .replace(
          '<svg ',
          `<svg role="img" aria-labelledby="${id}-title ${id}-description" viewBox="0 0 ` +
            `${width} ${height}" `,
        )
        .replace(/(<svg [^>]*?) width="\d+" height="\d+"/, '$1')
        .replace(/zr\d+-/g, `${id}-`)
        // echarts numbers classes over the life of the process; a report must have the same bytes.
        .replace(/-cls-(\d+)/g, (_, number: string) => `-cls-${numberOf(number)}`)
        .replace(
          />/,
          `><title id="${id}-title">${escape(chart.title)}</title><desc ` +
            `id="${id}-description">${escape(chart.description)}</desc>`,
        )
    );
  } finally {
    made.dispose();
  }
}

function rgb(hex: string): string {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return `rgb(${r},${g},${b})`;
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
