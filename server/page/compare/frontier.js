/** KL over L0 of all SAEs, and all points of their sweeps, of several runs. */
import { html } from 'htm/preact';
import { isNearIdentity } from '../src/report/best.js';
import { Chart } from '../charts/chart.js';
import { titleOf } from '../format.js';
import { words } from '../language/words.js';
import { frontierChart, pointsOf } from '../results/frontier.js';
import { useLoaded, Waiting } from '../shell/loading.js';
import { Differences } from './differences.js';
import { differences, loadRuns } from './load.js';
import { nameOf, Runs } from './runs.js';

/** Name of an SAE's points: a dagger marks near-identities. */
function pointName(entry, run) {
  const label = `${entry.sae.label}${isNearIdentity(entry) ? '†' : ''}`;
  return run === null ? label : `${label} · ${run}`;
}

export function FrontierChart({ records, isComparable }) {
  const { charts } = words();
  const isOne = records.length === 1;
  const chart = frontierChart(
    records.map((record, index) => ({
      name: isOne ? titleOf(record) : `${nameOf(record, index)} · ${titleOf(record)}`,
      points: (record.result?.results ?? []).flatMap((sae) =>
        pointsOf(sae, pointName({ sae, run: record.result }, isOne ? null : nameOf(record, index))),
      ),
    })),
    { title: charts.frontier, frontier: isComparable },
  );
  if (chart === null) return null;
  return html`
    <section class="card">
      <h2>${chart.title}</h2>
      <${Chart} chart=${chart} />
    </section>
  `;
}

export function Frontier({ ids }) {
  const { value, error } = useLoaded((options) => loadRuns(ids, options), [ids.join()]);
  if (value === null) return html`<${Waiting} error=${error} />`;
  const { records } = value;
  const differ = differences(records);
  const isEmpty = records.every(({ result }) => result === null);
  return html`
    <p class="small"><a href="#/">← ${words().allEvaluations}</a></p>
    <h1>${words().compare.frontierTitle(records.length)}</h1>
    <${FrontierChart} records=${records} isComparable=${differ.strict.length === 0} />
    ${isEmpty && html`<p class="soft">${words().charts.noNumbers}</p>`}
    ${
      records.length > 1 &&
      html`<${Differences} records=${records} names=${records.map(nameOf)} differ=${differ} />`
    }
    <${Runs} records=${records} />
  `;
}
