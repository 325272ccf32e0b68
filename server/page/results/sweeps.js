/** Sweeps over k or theta as curves of KL over L0, over prefixes as curves over the prefix. */
import { html } from 'htm/preact';
import { Chart } from '../charts/chart.js';
import { number } from '../format.js';
import { words } from '../language/words.js';
import { metricsOf, titleWithArrow, valueOf } from '../metrics.js';
import { Scroller } from '../shell/scroller.js';
import { isOverPrefixes, prefixesOf } from '../src/report/sweep-setting.js';
import { frontierChart, pointsOf, sweepName } from './frontier.js';

function Rows({ result, metrics }) {
  return result.sweep.map(
    (point, index) => html`
      <tr key=${sweepName(point)}>
        <th scope="row">
          ${index === 0 ? result.label : ''}<span class="at">${sweepName(point)}</span>
        </th>
        ${metrics.map((metric) => {
          const value = valueOf(metric, point);
          return html`
            <td key=${metric.id} class=${value === null ? 'soft' : undefined}>
              ${value === null ? words().results.none : number(value.mean)}
              ${
                value?.ci95 &&
                html`<span class="ci">
                  ${number(value.ci95[0], 3)} – ${number(value.ci95[1], 3)}
                </span>`
              }
            </td>
          `;
        })}
      </tr>
    `,
  );
}

/** KL over the prefix of each SAE that was swept over prefixes, up to the whole; null: none was. */
function prefixChart(swept) {
  const series = swept.filter(isOverPrefixes).flatMap((sae) => {
    const points = prefixesOf(sae).flatMap(({ prefix, values }) => {
      const { mean, ci95 } = values.strict?.KLDivPerToken ?? { mean: 0 };
      return mean > 0 ? [{ x: prefix, y: mean, ...(ci95?.[0] > 0 ? { interval: ci95 } : {}) }] : [];
    });
    return points.length < 2 ? [] : [{ name: sae.label, group: sae.kind, points }];
  });
  if (series.length === 0) return null;
  const { sweeps, charts } = words();
  return {
    form: 'line',
    title: sweeps.byPrefix,
    description: sweeps.byPrefixHelp,
    x: { name: sweeps.prefixAxis, log: true },
    y: { name: charts.kl, log: true },
    series,
  };
}

export function Sweeps({ metrics, results }) {
  const swept = results.filter(({ sweep }) => (sweep ?? []).length > 0);
  if (swept.length === 0) return null;
  const { sweeps } = words();
  const shown = metricsOf(
    metrics,
    swept.flatMap(({ sweep }) => sweep),
  ).filter(({ protocol }) => protocol === 'strict');
  const columns =
    shown.length > 0
      ? shown
      : metricsOf(
          metrics,
          swept.flatMap(({ sweep }) => sweep),
        );
  const nested = prefixChart(swept);
  const curves = frontierChart(
    swept
      .filter((sae) => !isOverPrefixes(sae))
      .map((sae) => ({
        name: sae.label,
        group: sae.kind,
        points: pointsOf(sae).toSorted((a, b) => a.x - b.x),
      })),
    { title: sweeps.curves, form: 'line', frontier: false, help: sweeps.help },
  );
  return html`
    <section class="card">
      <h2>${sweeps.title}</h2>
      ${curves !== null && html`<${Chart} chart=${curves} />`}
      ${nested !== null && html`<${Chart} chart=${nested} />`}
      <${Scroller} label=${sweeps.table}>
        <table class="results sweeps">
          <caption>
            <span>${sweeps.table}</span>
          </caption>
          <thead>
            <tr>
              <th scope="col">${words().results.sae}</th>
              ${columns.map(
                (metric) => html`
                  <th scope="col" key=${metric.id}>
                    ${titleWithArrow(metric)}
                    <div class="soft small">${words().protocols[metric.protocol]}</div>
                  </th>
                `,
              )}
            </tr>
          </thead>
          ${swept.map(
            (result) => html`
              <tbody key=${result.label}>
                <${Rows} result=${result} metrics=${columns} />
              </tbody>
            `,
          )}
        </table>
      <//>
    </section>
  `;
}
