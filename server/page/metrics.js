/** Metrics as `GET /v1/metrics` lists them, and their values in results. */
import { inLanguage } from './language/words.js';
import { call } from './shell/session.js';

let loaded = null;

/**
 * Fields of results that are a single number: `{ id, protocol, field, title, meaning, unit, better,
 * interval, inInputSpace }`. They do not change while the server runs, so they are asked for once.
 */
export function loadMetrics() {
  loaded ??= call((api) => api.metrics()).then(fieldsOf);
  loaded.catch(() => (loaded = null));
  return loaded;
}

function fieldsOf(items) {
  return items
    .flatMap((item) => item.fields)
    .filter(({ shape }) => shape === 'number' || shape === 'estimate')
    .map((entry) => ({
      ...entry,
      id: `${entry.protocol}.${entry.field}`,
      get title() {
        return inLanguage(entry.name);
      },
    }));
}

/** Mean and interval of a metric in a result, a layer or a point of a sweep; null: it has none. */
export function valueOf({ protocol, field }, result) {
  const value = result[protocol]?.[field];
  if (value === null || value === undefined) return null;
  return typeof value === 'number' ? { mean: value, ci95: null } : value;
}

/** Metrics that at least one of the results has. */
export function metricsOf(metrics, results) {
  return metrics.filter((metric) => results.some((result) => valueOf(metric, result) !== null));
}

/** Name of a metric with the direction that is better. */
export function titleWithArrow({ title, better }) {
  return `${title}${{ lower: ' ↓', higher: ' ↑' }[better] ?? ''}`;
}
