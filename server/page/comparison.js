/** Several evaluations side by side. */
import { element, replace } from './elements.js';
import { titleOf } from './format.js';
import { comparisonLinks } from './reports.js';
import { loadMetrics, resultsCharts, resultsTable } from './results.js';
import { call } from './session.js';

export async function showComparison({ main, signal }, ids) {
  const [metrics, ...records] = await Promise.all([
    loadMetrics({ signal }),
    ...ids.map((id) => call((api) => api.get(id, { signal }))),
  ]);
  const named = records.map((record, index) => ({ record, name: `Run ${index + 1}` }));
  const results = named.flatMap(({ record, name }) =>
    (record.result?.results ?? []).map((result) => ({
      ...result,
      label: `${name} · ${result.label}`,
    })),
  );
  const charts = resultsCharts(metrics);
  const problem = element('p', { class: 'problem', role: 'alert', hidden: true });
  const onProblem = (error) => {
    problem.hidden = false;
    problem.textContent = error.message;
  };
  replace(
    main,
    element('p', { class: 'small' }, element('a', { href: '#/' }, '← All evaluations')),
    element('h1', {}, `Comparison of ${records.length} runs`),
    problem,
    element(
      'section',
      { class: 'card' },
      element('h2', {}, 'Runs'),
      ...named.map(({ record, name }) =>
        element(
          'p',
          {},
          element('strong', {}, `${name}: `),
          element('a', { href: `#/evaluations/${record.id}` }, titleOf(record)),
          element(
            'span',
            { class: 'soft small' },
            ` · ${record.request.dataset.path} · ${new Date(record.createdAt).toLocaleString()}`,
          ),
        ),
      ),
    ),
    element(
      'section',
      { class: 'card' },
      resultsTable(metrics, results, {
        caption: 'Numbers of different models, texts or settings are not comparable.',
      }),
    ),
    charts.node,
    element(
      'section',
      { class: 'card' },
      element('h2', {}, 'Reports'),
      comparisonLinks(ids, onProblem),
    ),
  );
  charts.update(results);
}
