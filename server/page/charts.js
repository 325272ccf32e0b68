/**
 * Small charts as SVG: bars with intervals, and lines over layers. A label tells screen readers the
 * numbers.
 */
import { element, svg } from './elements.js';
import { number } from './format.js';

/** Width in units of the picture; smaller on a phone, so that letters stay readable. */
const pictureWidth = () => (matchMedia('(max-width: 40rem)').matches ? 360 : 640);
export const seriesColor = (index) => `var(--series-${(index % 8) + 1})`;

/** @param {{ label: string, value: number|null, ci95?: [number, number]|null }[]} bars */
export function barChart(bars, { title }) {
  const known = bars.filter(
    ({ value }) => value !== null && value !== undefined && Number.isFinite(value),
  );
  if (known.length === 0) return element('p', { class: 'soft' }, 'No numbers for this metric yet.');
  const width = pictureWidth();
  const rowHeight = 34;
  const left = Math.min(
    0.35 * width,
    16 + 7.2 * Math.max(...bars.map(({ label }) => label.length)),
  );
  const longest = Math.floor((left - 16) / 7.2 + 0.01);
  const right = 78;
  const low = Math.min(0, ...known.map(({ value, ci95 }) => Math.min(value, ci95?.[0] ?? value)));
  const high =
    Math.max(0, ...known.map(({ value, ci95 }) => Math.max(value, ci95?.[1] ?? value))) || 1;
  const x = (value) => left + ((value - low) / (high - low)) * (width - left - right);
  const height = bars.length * rowHeight + 8;
  const words = known.map(({ label, value }) => `${label} ${number(value)}`).join(', ');
  return svg(
    'svg',
    {
      class: 'chart',
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': `${title}: ${words}`,
    },
    svg('line', { class: 'axis', x1: x(0), x2: x(0), y1: 0, y2: height }),
    ...bars.flatMap(({ label, value, ci95 }, index) => {
      const y = index * rowHeight + 8;
      const shown = label.length > longest ? `${label.slice(0, longest - 1)}…` : label;
      const name = svg(
        'text',
        { class: 'name', x: left - 10, y: y + 16, 'text-anchor': 'end' },
        shown,
      );
      if (value === null || value === undefined || !Number.isFinite(value))
        return [name, svg('text', { x: x(0) + 8, y: y + 16 }, 'n/a')];
      const range = ci95
        ? svg('path', {
            class: 'range',
            fill: 'none',
            d: `M${x(ci95[0])} ${y + 7}v8m0 -4H${x(ci95[1])}m0 -4v8`,
          })
        : null;
      return [
        name,
        svg('rect', {
          x: Math.min(x(0), x(value)),
          y,
          width: Math.max(1.5, Math.abs(x(value) - x(0))),
          height: 22,
          rx: 4,
          fill: seriesColor(index),
          opacity: 0.85,
        }),
        range,
        svg(
          'text',
          { x: Math.max(x(0), x(value), ci95 ? x(ci95[1]) : 0) + 8, y: y + 16 },
          number(value),
        ),
      ];
    }),
  );
}

/** @param {{ label: string, points: { layer: number, value: number|null }[] }[]} series */
export function lineChart(series, { title }) {
  const points = series
    .flatMap((line) => line.points)
    .filter(({ value }) => value !== null && Number.isFinite(value));
  if (points.length === 0) return null;
  const width = pictureWidth();
  const height = 240;
  const [left, right, top, bottom] = [56, 16, 12, 34];
  const layers = [...new Set(points.map(({ layer }) => layer))].sort((a, b) => a - b);
  const high = Math.max(...points.map(({ value }) => value), 0) || 1;
  const low = Math.min(...points.map(({ value }) => value), 0);
  const x = (layer) =>
    left +
    (layers.length === 1 ? 0.5 : (layer - layers[0]) / (layers.at(-1) - layers[0])) *
      (width - left - right);
  const y = (value) => height - bottom - ((value - low) / (high - low)) * (height - top - bottom);
  const words = series
    .map(
      ({ label, points: own }) =>
        `${label}: ${own.map(({ layer, value }) => `layer ${layer} ${number(value)}`).join(', ')}`,
    )
    .join('; ');
  return element(
    'div',
    {},
    svg(
      'svg',
      {
        class: 'chart',
        viewBox: `0 0 ${width} ${height}`,
        role: 'img',
        'aria-label': `${title}. ${words}`,
      },
      ...[0, 0.5, 1]
        .map((share) => low + share * (high - low))
        .flatMap((value) => [
          svg('line', { class: 'axis', x1: left, x2: width - right, y1: y(value), y2: y(value) }),
          svg('text', { x: left - 8, y: y(value) + 4, 'text-anchor': 'end' }, number(value, 3)),
        ]),
      ...layers.map((layer) =>
        svg('text', { x: x(layer), y: height - 12, 'text-anchor': 'middle' }, String(layer)),
      ),
      ...series.flatMap(({ points: own }, index) => {
        const drawn = own.filter(({ value }) => value !== null && Number.isFinite(value));
        return [
          svg('polyline', {
            points: drawn.map(({ layer, value }) => `${x(layer)},${y(value)}`).join(' '),
            fill: 'none',
            stroke: seriesColor(index),
            'stroke-width': 2.2,
            'stroke-linejoin': 'round',
          }),
          ...drawn.map(({ layer, value }) =>
            svg('circle', { cx: x(layer), cy: y(value), r: 3.4, fill: seriesColor(index) }),
          ),
        ];
      }),
    ),
    element(
      'ul',
      { class: 'legend' },
      ...series.map(({ label }, index) => {
        const swatch = element('i');
        swatch.style.background = seriesColor(index);
        return element('li', {}, swatch, label);
      }),
    ),
  );
}
