/** Results as a table and charts, for one evaluation while it runs and for several side by side. */
import { barChart, lineChart } from './charts.js';
import { element, replace } from './elements.js';
import { number } from './format.js';
import { call } from './session.js';

/** Fields of results that are a single number, as `GET /v1/metrics` lists them. */
export async function loadMetrics({ signal } = {}) {
  const items = await call((api) => api.metrics({ signal }));
  const fields = items
    .flatMap((item) => item.fields)
    .filter(({ shape }) => shape === 'number' || shape === 'estimate')
    .map(({ protocol, field, name, better }) => ({
      id: `${protocol}.${field}`,
      name: name.en,
      under: protocol,
      better,
      read: (result) => estimate(result[protocol]?.[field]),
    }));
  return ['reference', 'strict'].flatMap((protocol) =>
    fields.filter(({ under }) => under === protocol),
  );
}

function estimate(value) {
  if (value === null || value === undefined) return null;
  return typeof value === 'number' ? { mean: value } : value;
}

function best(metric, results) {
  const values = results
    .map((result) => metric.read(result)?.mean)
    .filter((value) => Number.isFinite(value));
  if (metric.better === 'neither' || values.length < 2) return null;
  return metric.better === 'lower' ? Math.min(...values) : Math.max(...values);
}

function shownMetrics(metrics, results) {
  return metrics.filter((metric) => results.some((result) => metric.read(result) !== null));
}

function layersOf({ layer, layers }) {
  if (layer !== undefined) return `layer ${layer}`;
  return layers?.length > 0 ? `layers ${layers[0]}–${layers.at(-1)}` : '';
}

function noteFor(result, metric) {
  return result.notes?.find((note) => note.metric === metric.id)?.en;
}

export function resultsTable(metrics, results, { caption }) {
  const shown = shownMetrics(metrics, results);
  const arrow = { lower: ' ↓', higher: ' ↑' };
  return element(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    element(
      'table',
      { class: 'results' },
      element('caption', {}, element('span', {}, caption)),
      element(
        'thead',
        {},
        element(
          'tr',
          {},
          element('th', { scope: 'col' }, 'SAE'),
          ...shown.map((metric) =>
            element(
              'th',
              { scope: 'col' },
              `${metric.name}${arrow[metric.better] ?? ''}`,
              element('div', { class: 'soft small' }, metric.under),
            ),
          ),
        ),
      ),
      element(
        'tbody',
        {},
        ...results.map((result) =>
          element(
            'tr',
            {},
            element(
              'th',
              { scope: 'row' },
              result.label,
              element(
                'div',
                { class: 'soft small' },
                result.error === null
                  ? `${result.kind} · ${layersOf(result)}`
                  : `failed: ${result.error.message}`,
              ),
            ),
            ...shown.map((metric) => {
              const value = metric.read(result);
              if (value === null)
                return element('td', { class: 'soft', title: noteFor(result, metric) }, 'n/a');
              const isBest = value.mean === best(metric, results);
              return element(
                'td',
                isBest ? { class: 'best', title: 'best' } : {},
                number(value.mean),
                value.ci95
                  ? element(
                      'span',
                      { class: 'ci' },
                      `${number(value.ci95[0], 3)} … ${number(value.ci95[1], 3)}`,
                    )
                  : null,
              );
            }),
          ),
        ),
      ),
    ),
  );
}

/** Replaces a table by a newer one, which keeps the scroll position and the focus. */
export function redrawTable(parent, table) {
  const before = parent.firstElementChild;
  const { scrollLeft = 0 } = before ?? {};
  const hadFocus = before !== null && before === document.activeElement;
  replace(parent, table);
  table.scrollLeft = scrollLeft;
  if (hadFocus) table.focus({ preventScroll: true });
}

/** Charts with a choice of metric; `update` draws new numbers. */
export function resultsCharts(metrics) {
  let results = [];
  const chart = element('div');
  const layers = element('div');
  const layersCard = element(
    'section',
    { class: 'card', hidden: true },
    element('h2', {}, 'By layer'),
    layers,
  );
  const choice = element('select', { id: 'chart-metric', onchange: draw });
  const card = element(
    'section',
    { class: 'card' },
    element(
      'div',
      { class: 'heading' },
      element('h2', {}, 'Comparison'),
      element(
        'div',
        {},
        element('label', { for: 'chart-metric', class: 'visually-hidden' }, 'Metric of the chart'),
        choice,
      ),
    ),
    chart,
  );

  function draw() {
    const metric = metrics.find(({ id }) => id === choice.value);
    if (metric === undefined) return;
    replace(
      chart,
      barChart(
        results.map((result) => ({
          label: result.label,
          value: metric.read(result)?.mean ?? null,
          ci95: metric.read(result)?.ci95 ?? null,
        })),
        { title: `${metric.name}, ${metric.under}` },
      ),
    );
    const series = results
      .filter(({ perLayer }) => perLayer?.length > 1)
      .map(({ label, perLayer }) => ({
        label,
        points: perLayer.map((entry) => ({
          layer: entry.layer,
          value: metric.read(entry)?.mean ?? null,
        })),
      }))
      .filter(({ points }) => points.some(({ value }) => value !== null));
    const lines =
      series.length === 0 ? null : lineChart(series, { title: `${metric.name} by layer` });
    layersCard.hidden = lines === null;
    replace(layers, lines);
  }

  return {
    node: element('div', { class: 'two' }, card, layersCard),
    update(next) {
      results = next;
      const shown = shownMetrics(metrics, results);
      const before = choice.value;
      const offered = shown.map(({ id }) => id).join(' ');
      // A list that is open would close.
      if (offered !== choice.dataset.offered)
        replace(
          choice,
          ...['reference', 'strict'].flatMap((under) => {
            const own = shown.filter((metric) => metric.under === under);
            return own.length === 0
              ? []
              : [
                  element(
                    'optgroup',
                    { label: under },
                    ...own.map(({ id, name }) => element('option', { value: id }, name)),
                  ),
                ];
          }),
        );
      choice.dataset.offered = offered;
      const preferred =
        shown.find(({ id }) => id === before) ??
        shown.find(({ id }) => id === 'strict.KLDivPerToken') ??
        shown.find(({ id }) => id === 'reference.KLDiv') ??
        shown[0];
      if (preferred !== undefined) choice.value = preferred.id;
      card.hidden = preferred === undefined;
      draw();
    },
  };
}
