/** One evaluation: its summary, live progress, numbers as they come, charts, reports, request. */
import { html } from 'htm/preact';
import { Latents } from '../latents/latents.js';
import { words } from '../language/words.js';
import { loadMetrics } from '../metrics.js';
import { ResultsCharts } from '../results/charts.js';
import { Dictionaries } from '../results/dictionaries.js';
import { Absorption } from '../results/absorption.js';
import { Probes } from '../results/probes.js';
import { Sweeps } from '../results/sweeps.js';
import { PeerTables } from '../results/peers.js';
import { entriesOf, ResultsTable } from '../results/table.js';
import { ConnectionNote, useLoaded, Waiting } from '../shell/loading.js';
import { useEvaluation } from './follow.js';
import { Heading } from './heading.js';
import { Losses } from './losses.js';
import { Progress } from './progress.js';
import { Shards } from './shards.js';
import { ReportLinks } from './reports.js';
import { Request } from './request.js';
import { Summary } from './summary.js';

function Loaded({ metrics, record, results, isLost, setProblem, problem }) {
  const { evaluation } = words();
  const entries = entriesOf(results, record.result);
  const hasEnd = record.result !== null;
  const failure = record.error !== null && record.status !== 'cancelled' ? record.error : null;
  return html`
    <p class="small"><a href="#/">← ${words().allEvaluations}</a></p>
    <${Heading} record=${record} onProblem=${setProblem} />
    ${problem !== null && html`<p class="problem" role="alert">${problem.message}</p>`}
    ${
      failure !== null &&
      html`<div class="problem" role="alert">
        <strong>${failure.code}</strong> — ${failure.message}
      </div>`
    }
    <${ConnectionNote} isLost=${isLost} />
    <${Summary} result=${record.result} />
    <${Progress} record=${record} />
    <${Shards} record=${record} />
    <${Losses} record=${record} />
    ${
      results.length > 0 &&
      html`
        <${ResultsTable}
          metrics=${metrics}
          entries=${entries}
          marks=${{ strict: hasEnd, reference: hasEnd }}
          caption=${hasEnd ? evaluation.final : evaluation.soFar}
        />
        <${PeerTables} entries=${entries} />
        <${ResultsCharts} metrics=${metrics} entries=${entries} />
        <${Sweeps} metrics=${metrics} results=${results} />
      `
    }
    <${Dictionaries} result=${record.result} />
    <${Probes} result=${record.result} />
    <${Absorption} result=${record.result} />
    <${Latents} record=${record} />
    ${hasEnd && html`<${ReportLinks} id=${record.id} onProblem=${setProblem} />`}
    <${Request} record=${record} />
  `;
}

export function Evaluation({ id }) {
  const { value: metrics, error: metricsError } = useLoaded(loadMetrics, []);
  const state = useEvaluation(id);
  if (metrics === null || state.record === null)
    return html`<${Waiting} error=${state.problem ?? metricsError} />`;
  return html`<${Loaded} metrics=${metrics} ...${state} />`;
}
