/**
 * Draws a chart with Observable Plot, in a browser or into a document without one. Many series
 * become small multiples. Runs in browsers too.
 */
import { shown, shownOnOneLine } from '../../shown-text.js';
import type { Chart, Point, Series } from './chart.js';
import { colorsOf } from './colors.js';
import { paretoOf } from './pareto.js';
import { placeLabels, type Side } from './place-labels.js';

type Options = Record<string, unknown>;
type Mark = (data: readonly unknown[], options: Options) => unknown;

/** The part of Observable Plot that is used, so that no browser's types are needed. */
export interface PlotLibrary {
  plot(options: Options): unknown;
  dot: Mark;
  line: Mark;
  text: Mark;
  link: Mark;
  barY: Mark;
  ruleX: Mark;
  ruleY: Mark;
}

export interface DrawOptions {
  /** The document that makes the elements; default the browser's. */
  document?: unknown;
  /** Width in pixels; default 640. */
  width?: number;
  /** Whether a tip follows the pointer; without it, points have titles. Default false. */
  tip?: boolean;
  /** Number as the titles show it. */
  format?: (value: number) => string;
}

/** Series above which lines get a panel each. */
const panelsAbove = 8;
const fontSize = 12;

/** A point with what marks need to know of its series. */
interface Drawn extends Point {
  name: string;
  color: string;
  title: string;
  column: number;
  row: number;
}

const anchors: Record<Side, Options> = {
  right: { dx: 8, textAnchor: 'start' },
  left: { dx: -8, textAnchor: 'end' },
  above: { dy: -14 },
  below: { dy: 14 },
};

const plain = (value: number): string => Number(value.toPrecision(4)).toString();

function titleOf({ x, y }: Chart, series: Series, point: Point, format: DrawOptions['format']) {
  const say = format ?? plain;
  const interval =
    point.interval === undefined ? '' : ` [${point.interval.map((one) => say(one)).join(', ')}]`;
  return (
    `${shownOnOneLine(point.label ?? series.name)}\n${x.name}: ${say(point.x)}\n` +
    `${y.name}: ${say(point.y)}${interval}`
  );
}

/** Pixels of a value, by Plot's own scales. */
type Scales = { scale(name: string): { apply(value: number): number } };

/**
 * The chart as an SVG element of `document`.
 *
 * @returns what `Plot.plot` returns: an SVG element.
 */
export function drawChart(
  plot: PlotLibrary,
  chart: Chart,
  { document, width = 640, tip = false, format }: DrawOptions = {},
): unknown {
  const colors = colorsOf(chart);
  const isPaneled =
    (chart.form === 'bar' && chart.series.length > 1) ||
    (chart.form === 'line' && chart.series.length > panelsAbove);
  const columns = isPaneled ? Math.min(chart.series.length, width < 480 ? 2 : 4) : 1;
  const rows = isPaneled ? Math.ceil(chart.series.length / columns) : 1;
  const points = chart.series.flatMap((series, index) =>
    series.points.map((point): Drawn => ({
      ...point,
      name: series.name,
      color: colors.series[index]!,
      title: titleOf(chart, series, point, format),
      column: index % columns,
      row: Math.floor(index / columns),
    })),
  );
  const height = isPaneled ? Math.max(220, 118 * rows + 70) : 380;
  const facets = isPaneled ? { fx: 'column', fy: 'row' } : {};
  const hover = tip ? { title: 'title', tip: true } : { title: 'title' };
  const isCategory = chart.form === 'bar';
  const scales: Options = {
    width,
    height,
    marginLeft: 62,
    marginBottom: 44,
    marginRight: 24,
    marginTop: isPaneled ? 36 : 20,
    ...(document === undefined ? {} : { document }),
    style: { fontSize: `${fontSize}px`, background: 'none', overflow: 'visible' },
    ariaLabel: shown(chart.title),
    ariaDescription: shown(chart.description),
    x: {
      label: chart.x.name,
      labelAnchor: 'center',
      labelArrow: 'none',
      grid: !isCategory,
      ...(isCategory ? {} : ticks(chart.x.log === true, points, ({ x }) => [x], columns)),
    },
    y: {
      label: chart.y.name,
      labelArrow: 'none',
      grid: true,
      ...ticks(
        chart.y.log === true,
        points,
        ({ y, interval }) => [y, ...(interval ?? [])],
        isPaneled ? 3 : 1,
      ),
    },
    ...(isPaneled ? { fx: { axis: null, padding: 0.12 }, fy: { axis: null, padding: 0.28 } } : {}),
  };
  const base = [
    ...(isCategory ? [plot.ruleY([0], {})] : []),
    ...(chart.frontier === true && !isPaneled
      ? [
          plot.line(paretoOf(points), {
            x: 'x',
            y: 'y',
            curve: 'step-after',
            stroke: 'currentColor',
            strokeOpacity: 0.45,
            strokeDasharray: '4 4',
          }),
        ]
      : []),
    ...(chart.form === 'line'
      ? [plot.line(points, { x: 'x', y: 'y', z: 'name', stroke: 'color', ...facets })]
      : []),
    ...(isCategory
      ? [plot.barY(points, { x: 'x', y: 'y', fill: 'color', ...facets, ...hover })]
      : [
          plot.ruleX(
            points.filter(({ interval }) => interval !== undefined),
            {
              x: 'x',
              y1: ({ interval }: Drawn) => interval![0],
              y2: ({ interval }: Drawn) => interval![1],
              stroke: 'color',
              strokeOpacity: 0.6,
              ...facets,
            },
          ),
          plot.dot(points, {
            x: 'x',
            y: 'y',
            fill: 'color',
            stroke: 'transparent',
            strokeWidth: 8,
            r: chart.form === 'scatter' ? 5 : isPaneled ? 1.5 : 3,
            ...facets,
            ...hover,
          }),
        ]),
    ...(isPaneled
      ? [panelNames(plot, chart, points, Math.floor((width - 90) / columns / 6.8))]
      : []),
  ];
  const drawn = plot.plot({ ...scales, marks: base });
  if (chart.form !== 'scatter') return drawn;
  // The frontier's labels come first: there may be no room for all.
  const first = new Set<Drawn>(chart.frontier === true ? paretoOf(points) : []);
  const sorted = [
    ...points.filter((one) => first.has(one)),
    ...points.filter((p) => !first.has(p)),
  ];
  const [x, y] = (['x', 'y'] as const).map((name) => (drawn as Scales).scale(name));
  const labels = placeLabels(sorted, {
    at: (point) => ({ x: x!.apply(point.x), y: y!.apply(point.y) }),
    text: (point) => shortened(point.label ?? point.name),
    width,
    height,
  });
  const texts = (Object.keys(anchors) as Side[]).map((side) =>
    plot.text(
      labels.filter((label) => label.side === side),
      {
        x: ({ point }: { point: Drawn }) => point.x,
        y: ({ point }: { point: Drawn }) => point.y,
        text: 'text',
        fontSize: 11,
        ...anchors[side],
      },
    ),
  );
  return plot.plot({ ...scales, marks: [...base, ...texts] });
}

/** The text as it is shown, with its middle left out if it is longer than `most` characters. */
function shortened(name: string, most = 28): string {
  const text = shownOnOneLine(name);
  if (text.length <= most) return text;
  const half = (most - 1) / 2;
  return `${text.slice(0, Math.ceil(half))}…${text.slice(text.length - Math.floor(half))}`;
}

/** Options of a numeric axis. */
function ticks(
  isLog: boolean,
  points: readonly Drawn[],
  values: (point: Drawn) => readonly number[],
  panels: number,
): Options {
  const all = points.flatMap((point) => [...values(point)]);
  const [low, high] = [
    all.reduce((a, b) => Math.min(a, b), Infinity),
    all.reduce((a, b) => Math.max(a, b), -Infinity),
  ];
  const number = panels > 1 ? 3 : 6;
  if (!isLog) {
    // Whole numbers, such as layers, get no ticks between them.
    const isWhole = all.every(Number.isInteger);
    return isWhole && high - low <= 12 && panels === 1
      ? { ticks: Array.from({ length: high - low + 1 }, (_, i) => low + i), tickFormat: 'd' }
      : { ticks: number, nice: true };
  }
  const room = low === high ? 2 : (high / low) ** 0.06;
  return {
    type: 'log',
    domain: [low / room, high * room],
    // A span below a decade has no power of ten: the axis then shows more of the numbers between.
    ticks: high / low > 30 ? number / 2 : number,
    tickFormat: (value: number) =>
      value >= 1e5 || value < 1e-4 ? value.toExponential(0) : plain(value),
  };
}

/** The name of each panel's series, at its top. */
function panelNames(
  plot: PlotLibrary,
  { series }: Chart,
  points: readonly Drawn[],
  most: number,
): unknown {
  const first = series.flatMap(({ name }) => points.find((point) => point.name === name) ?? []);
  return plot.text(first, {
    fx: 'column',
    fy: 'row',
    text: ({ name }: Drawn) => shortened(name, most),
    frameAnchor: 'top-left',
    dy: -13,
    fontSize: 11,
    fontWeight: 600,
  });
}
