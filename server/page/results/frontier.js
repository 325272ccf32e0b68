/** Faithfulness against sparsity: every SAE, and every point of its sweep in one chart. */
import { number } from '../format.js';
import { words } from '../language/words.js';
import { isOverPrefixes } from '../src/report/sweep-setting.js';

const l0Of = ({ strict }) => strict?.L0?.mean ?? null;
const klOf = ({ strict }) => strict?.KLDivPerToken?.mean ?? null;

/** What a point of a sweep replaces: `inferK 8`. */
export function sweepName({ inferK, theta, prefix }) {
  if (prefix !== undefined) return words().sweeps.prefix(prefix);
  return inferK === undefined ? `θ ${number(theta)}` : `k ${inferK}`;
}

function pointOf(value, label) {
  const [x, y] = [l0Of(value), klOf(value)];
  if (x === null || y === null || x <= 0 || y <= 0) return [];
  const { ci95 } = value.strict.KLDivPerToken;
  return [{ x, y, label, ...(ci95 ? { interval: ci95 } : {}) }];
}

/** Points of an SAE: itself, and its sweep over sparsities. */
export function pointsOf(sae, name = sae.label) {
  if (sae.error !== null) return [];
  const points = (isOverPrefixes(sae) ? [] : (sae.sweep ?? [])).flatMap((point) =>
    pointOf(point, `${name} (${sweepName(point)})`),
  );
  return points.length > 0 ? points : pointOf(sae, name);
}

/** The chart of series of such points, or null if there are fewer than two. */
export function frontierChart(series, { title, form = 'scatter', frontier = true, help }) {
  const shown = series.filter(({ points }) => points.length > 0);
  if (shown.flatMap(({ points }) => points).length < 2) return null;
  const { charts } = words();
  return {
    form,
    title,
    description: help ?? (frontier ? charts.frontierHelp : charts.noFrontierHelp),
    x: { name: charts.l0, log: true },
    y: { name: charts.kl, log: true },
    series: shown,
    frontier,
  };
}
