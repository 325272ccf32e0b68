/** Runs that are shown side by side, and what they do not have in common. */
import { loadMetrics } from '../metrics.js';
import { call } from '../shell/session.js';
import { differingFields } from '../src/report/comparable.js';

/** The runs with these ids, each with a short name, and the metrics. */
export async function loadRuns(ids, { signal }) {
  const [metrics, ...records] = await Promise.all([
    loadMetrics(),
    ...ids.map((id) => call((api) => api.get(id, { signal }))),
  ]);
  return { metrics, records };
}

/** Settings that differ between runs, by protocol. */
export function differences(records) {
  const results = records.flatMap(({ result }) => (result === null ? [] : [result]));
  return {
    strict: differingFields(results, 'strict'),
    reference: differingFields(results, 'reference'),
  };
}
