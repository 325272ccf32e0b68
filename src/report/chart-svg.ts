/** Charts as SVG text, drawn without a browser. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Chart } from './charts/chart.js';
import { drawChart } from './charts/draw.js';
import { shown } from '../shown-text.js';
import { number } from './numbers.js';

/** A chart as one SVG element; its points have titles, which a script can show. */
export function chartSvg(chart: Chart): string {
  // Its types need a browser's; the document is only passed on.
  const { document } = parseHTML('<!doctype html><html></html>') as { document: unknown };
  const svg = drawChart(Plot, chart, {
    document,
    format: number,
  }) as { outerHTML: string };
  return (
    shown(svg.outerHTML)
      .replace('<svg ', '<svg role="img" ')
      // Coordinates need no more than hundredths of a pixel.
      .replace(/ (?:d|transform|c?[xy][12]?|width|height)="[^"]*"/g, (attribute) =>
        attribute.replace(/(\d\.\d{2})\d+/g, '$1'),
      )
  );
}
