/** Values of one metric, an SAE in each line, with intervals. */
import { shownOnOneLine } from '../src/shown-text.js';

/**
 * @param chart `{ title, description, x, rows: [{ label, mean, ci95, color }] }`, the first on top
 * @returns an SVG element
 */
export function drawRanking(Plot, { title, description, x, rows }, { width, format }) {
  const longest = Math.max(...rows.map(({ label }) => label.length));
  const marginLeft = Math.min(0.4 * width, 24 + 6.6 * longest);
  const fits = Math.max(6, Math.floor((marginLeft - 20) / 6.6));
  const titleOf = ({ label, mean, ci95 }) =>
    `${shownOnOneLine(label)}\n${x.name}: ${format(mean)}` +
    (ci95 ? ` [${ci95.map(format).join(', ')}]` : '');
  const withInterval = rows.filter(({ ci95 }) => ci95);
  return Plot.plot({
    width,
    height: 26 * rows.length + 50,
    marginLeft,
    marginRight: 70,
    marginTop: 8,
    marginBottom: 38,
    ariaLabel: title,
    ariaDescription: description,
    style: { fontSize: '12px', background: 'none', overflow: 'visible' },
    x: {
      label: x.name,
      labelAnchor: 'center',
      labelArrow: 'none',
      grid: true,
      nice: true,
      ticks: 6,
    },
    y: {
      label: null,
      domain: rows.map(({ label }) => label),
      tickSize: 0,
      tickFormat: (label) => {
        const text = shownOnOneLine(label);
        return text.length > fits ? `${text.slice(0, fits - 1)}…` : text;
      },
    },
    marks: [
      Plot.ruleY(withInterval, {
        y: 'label',
        x1: ({ ci95 }) => ci95[0],
        x2: ({ ci95 }) => ci95[1],
        stroke: 'color',
        strokeWidth: 2,
      }),
      Plot.dot(rows, {
        y: 'label',
        x: 'mean',
        fill: 'color',
        r: 5,
        title: titleOf,
        tip: { anchor: 'bottom' },
      }),
      Plot.text(rows, {
        y: 'label',
        x: ({ mean, ci95 }) => Math.max(mean, ci95?.[1] ?? mean),
        text: ({ mean }) => format(mean),
        dx: 10,
        textAnchor: 'start',
      }),
    ],
  });
}
