/** Drawing of charts: frontiers, colors, labels that do not collide, small multiples. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chartSvg } from '#src/report/chart-svg.js';
import type { Chart, Series } from '#src/report/charts/chart.js';
import { colorsOf } from '#src/report/charts/colors.js';
import { paretoOf } from '#src/report/charts/pareto.js';
import { placeLabels } from '#src/report/charts/place-labels.js';

const chart = (form: Chart['form'], series: Series[], change: Partial<Chart> = {}): Chart => ({
  form,
  title: 'A chart',
  description: 'y by x',
  x: { name: 'x', log: form === 'scatter' },
  y: { name: 'y', log: form === 'scatter' },
  series,
  ...change,
});
const many = (count: number, points: Series['points'][number][]): Series[] =>
  Array.from({ length: count }, (_, i) => ({ name: `SAE ${i}`, group: `kind ${i % 3}`, points }));

describe('the frontier', () => {
  it('has the points that no other beats, in the order of x', () => {
    const point = fc.record({
      x: fc.integer({ min: 0, max: 9 }),
      y: fc.integer({ min: 0, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(point, { minLength: 1 }), (points) => {
        const frontier = paretoOf(points);
        const beats = (p: (typeof points)[number], q: (typeof points)[number]): boolean =>
          p.x <= q.x && p.y <= q.y && (p.x < q.x || p.y < q.y);
        const unbeaten = points.filter((q) => !points.some((p) => beats(p, q)));
        const key = ({ x, y }: { x: number; y: number }): string => `${x} ${y}`;
        expect(new Set(frontier.map(key))).toEqual(new Set(unbeaten.map(key)));
        for (let i = 1; i < frontier.length; i++)
          expect(frontier[i]!.x).toBeGreaterThan(frontier[i - 1]!.x);
      }),
    );
  });
});

describe('colors', () => {
  it('are one for each series, or for each group of many', () => {
    const few = colorsOf({ series: many(8, []) });
    expect(new Set(few.series).size).toBe(8);
    const hundred = colorsOf({ series: many(100, []) });
    expect(hundred.legend.map(({ name }) => name)).toEqual(['kind 0', 'kind 1', 'kind 2']);
    expect(new Set(hundred.series).size).toBe(3);
  });
});

describe('labels', () => {
  it('of a hundred points lie on no other label and inside the picture', () => {
    const points = Array.from({ length: 100 }, (_, i) => ({
      x: 60 + 500 * Math.abs(Math.sin(i * 12.9)),
      y: 20 + 300 * Math.abs(Math.sin(i * 78.2)),
    }));
    const placed = placeLabels(points, {
      at: (point) => point,
      text: (point) => `SAE ${points.indexOf(point)}`,
      width: 640,
      height: 380,
    });
    expect(placed.length).toBeGreaterThan(10);
    expect(placed.length).toBeLessThan(100);
    const box = ({ point, text, side }: (typeof placed)[number]): number[] => {
      const wide = 6.2 * text.length;
      const left = { right: 8, left: -8 - wide, above: -wide / 2, below: -wide / 2 }[side];
      const top = { right: -6.5, left: -6.5, above: -21, below: 8 }[side];
      return [point.x + left, point.x + left + wide, point.y + top, point.y + top + 13];
    };
    placed.forEach((one, i) => {
      const [l, r, t, b] = box(one) as [number, number, number, number];
      expect(l >= 0 && r <= 640 && t >= 0 && b <= 380).toBe(true);
      for (const other of placed.slice(0, i)) {
        const [ol, or, ot, ob] = box(other) as [number, number, number, number];
        expect(l < or && ol < r && t < ob && ot < b).toBe(false);
      }
    });
  });
});

describe('an SVG', () => {
  it('has a point with its numbers for each SAE, and the frontier', () => {
    const series = [3, 2, 1].map((y, i): Series => ({
      name: `SAE ${i}`,
      points: [{ x: 10 ** i, y, interval: [0.9 * y, 1.1 * y] }],
    }));
    const svg = chartSvg(chart('scatter', series, { frontier: true }));
    expect(svg).toContain('role="img"');
    expect(svg).toContain('aria-label="A chart"');
    expect([...svg.matchAll(/<circle/g)]).toHaveLength(3);
    expect(svg).toContain('<title>SAE 1\nx: 10\ny: 2 [1.800, 2.200]</title>');
    expect(svg).toContain('stroke-dasharray');
  });

  it('has a panel for each of many series, with its name', () => {
    const points = [
      { x: 4, y: 0.1 },
      { x: 5, y: 0.2 },
    ];
    const svg = chartSvg(chart('line', many(20, points)));
    for (let i = 0; i < 20; i++) expect(svg).toContain(`>SAE ${i}<`);
    expect(svg.match(/height="(\d+)"/)![1]).toBe(String(118 * 5 + 70));
    expect(chartSvg(chart('line', many(3, points)))).not.toContain('>SAE 0<');
  });

  it('has the same bytes again, and no reference to anything outside', () => {
    const one = chart('bar', many(2, [{ x: 1, y: 2 }]));
    expect(chartSvg(one)).toBe(chartSvg(one));
    expect(chartSvg(one).replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|url\(/);
  });

  it('shows what users typed as text', () => {
    const svg = chartSvg(chart('scatter', many(2, [{ x: 1, y: 1, label: '</svg><script>' }])));
    expect(svg).not.toContain('<script');
  });
});
