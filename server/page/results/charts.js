/** Charts of a run: KL over L0, one metric in a ranking and by layer, densities. */
import { html } from 'htm/preact';
import { useState } from 'preact/hooks';
import { Chart } from '../charts/chart.js';
import { drawRanking } from '../charts/ranking.js';
import { words } from '../language/words.js';
import { metricsOf, valueOf } from '../metrics.js';
import { isOverPrefixes } from '../src/report/sweep-setting.js';
import { frontierChart, pointsOf } from './frontier.js';

const usual = ['strict.KLDivPerToken', 'reference.KLDiv', 'strict.NormMSE', 'reference.NormMSE'];
const color = '#0072b2';
const baselineColor = '#8a6d3b';

const named = (metric) => `${metric.title} (${words().protocols[metric.protocol]})`;

function rankingOf(metric, entries) {
  const rows = entries.flatMap(({ sae, name, mark }) => {
    const value = sae.error === null ? valueOf(metric, sae) : null;
    return value === null
      ? []
      : [{ label: name + mark, ...value, color: sae.kind === 'RandomK' ? baselineColor : color }];
  });
  if (rows.length === 0) return null;
  const title = named(metric);
  const sign = metric.better === 'higher' ? -1 : 1;
  return {
    title,
    description: words().charts.rankingHelp,
    x: { name: title },
    rows: rows.toSorted((a, b) => sign * (a.mean - b.mean)),
  };
}

function byLayer(metric, entries) {
  const series = entries.flatMap(({ sae, name, mark }) => {
    const points = (sae.perLayer ?? []).flatMap((entry) => {
      const value = valueOf(metric, entry);
      return value === null ? [] : [{ x: entry.layer, y: value.mean }];
    });
    return points.length < 2 ? [] : [{ name: name + mark, points }];
  });
  if (series.length === 0) return null;
  const { charts } = words();
  return {
    form: 'line',
    title: charts.byLayer(named(metric)),
    description: charts.byLayerHelp,
    x: { name: charts.layer },
    y: { name: metric.title },
    series,
  };
}

/** How many latents fire how often. */
function densities(entries) {
  const series = entries.flatMap(({ sae, name, mark }) => {
    const histogram = sae.strict?.DensityHistogram ?? null;
    if (histogram === null) return [];
    const { log10, count } = histogram;
    return [
      { name: name + mark, points: count.map((y, i) => ({ x: (log10[i] + log10[i + 1]) / 2, y })) },
    ];
  });
  if (series.length === 0) return null;
  const { charts } = words();
  return {
    form: 'line',
    title: charts.densities,
    description: charts.densitiesHelp,
    x: { name: charts.firingRate },
    y: { name: charts.latents },
    series,
  };
}

function MetricChoice({ metrics, chosen, onChange }) {
  return html`
    <label for="chart-metric" class="visually-hidden">${words().charts.metric}</label>
    <select id="chart-metric" value=${chosen.id} onChange=${({ target }) => onChange(target.value)}>
      ${['strict', 'reference'].map((protocol) => {
        const own = metrics.filter((metric) => metric.protocol === protocol);
        return (
          own.length > 0 &&
          html`<optgroup label=${words().protocols[protocol]} key=${protocol}>
            ${own.map((metric) => html`<option value=${metric.id}>${named(metric)}</option>`)}
          </optgroup>`
        );
      })}
    </select>
  `;
}

/** @param isComparable whether one frontier may be drawn through all of the entries */
export function ResultsCharts({ metrics, entries, isComparable = true, withFrontier = true }) {
  const shown = metricsOf(
    metrics,
    entries.map(({ sae }) => sae),
  );
  const first = usual.find((id) => shown.some((metric) => metric.id === id)) ?? shown[0]?.id;
  const [id, setId] = useState(first);
  const metric = shown.find((one) => one.id === id) ?? shown.find((one) => one.id === first);
  if (metric === undefined) return null;
  const { charts } = words();
  // Sweeps have a chart of their own.
  const isSwept = entries.every(({ sae }) => (sae.sweep ?? []).length > 0 && !isOverPrefixes(sae));
  const frontier =
    withFrontier &&
    !isSwept &&
    frontierChart(
      entries.map(({ sae, name, mark }) => ({
        name,
        group: sae.kind,
        points: pointsOf(sae, name + mark),
      })),
      { title: charts.frontier, frontier: isComparable },
    );
  const ranking = rankingOf(metric, entries);
  const layers = byLayer(metric, entries);
  const density = densities(entries);
  return html`
    ${
      frontier &&
      html`<section class="card">
        <h2>${frontier.title}</h2>
        <${Chart} chart=${frontier} />
      </section>`
    }
    <section class="card">
      <div class="heading">
        <h2>${charts.oneMetric}</h2>
        <div>
          <${MetricChoice} metrics=${shown} chosen=${metric} onChange=${setId} />
        </div>
      </div>
      ${
        ranking === null
          ? html`<p class="soft">${charts.noNumbers}</p>`
          : html`<${Chart} chart=${ranking} draw=${drawRanking} />`
      }
      ${
        layers !== null &&
        html`<h3>${layers.title}</h3>
          <${Chart} chart=${layers} />`
      }
    </section>
    ${
      density !== null &&
      html`<section class="card">
        <details>
          <summary>${density.title}</summary>
          <${Chart} chart=${density} />
        </details>
      </section>`
    }
  `;
}
