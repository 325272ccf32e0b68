/** Several evaluations side by side. */
import { html } from 'htm/preact';
import { useState } from 'preact/hooks';
import { ComparisonLinks } from '../evaluation/reports.js';
import { words } from '../language/words.js';
import { ResultsCharts } from '../results/charts.js';
import { PeerTables } from '../results/peers.js';
import { named, ResultsTable } from '../results/table.js';
import { useLoaded, Waiting } from '../shell/loading.js';
import { Differences } from './differences.js';
import { FrontierChart } from './frontier.js';
import { differences, loadRuns } from './load.js';
import { Pairs } from './pairs.js';
import { nameOf, Runs } from './runs.js';

/** The SAEs of all runs, named by their run too. */
function entriesOf(records) {
  return records.flatMap((record, index) =>
    (record.result?.results ?? []).map((sae) =>
      named({
        sae,
        run: record.result,
        name: `${nameOf(record, index)} · ${sae.label}`,
        key: `${record.id} ${sae.label}`,
      }),
    ),
  );
}

export function Comparison({ ids }) {
  const { value, error } = useLoaded((options) => loadRuns(ids, options), [ids.join()]);
  const [problem, setProblem] = useState(null);
  if (value === null) return html`<${Waiting} error=${error} />`;
  const { metrics, records } = value;
  const { compare } = words();
  const differ = differences(records);
  const marks = { strict: differ.strict.length === 0, reference: differ.reference.length === 0 };
  const entries = entriesOf(records);
  return html`
    <p class="small"><a href="#/">← ${words().allEvaluations}</a></p>
    <h1>${compare.title(records.length)}</h1>
    ${problem !== null && html`<p class="problem" role="alert">${problem.message}</p>`}
    <${Runs} records=${records} />
    <${Differences} records=${records} names=${records.map(nameOf)} differ=${differ} />
    ${
      ids.length > 1 &&
      html`<${Pairs} ids=${ids} names=${records.map(nameOf)} metrics=${metrics} />`
    }
    <${FrontierChart} records=${records} isComparable=${marks.strict} />
    <${ResultsTable}
      metrics=${metrics}
      entries=${entries}
      marks=${marks}
      caption=${marks.strict ? compare.caption : compare.unmarked}
    />
    <${PeerTables} entries=${entries} />
    <${ResultsCharts} metrics=${metrics} entries=${entries} withFrontier=${false} />
    <${ComparisonLinks} ids=${ids} onProblem=${setProblem} />
  `;
}
