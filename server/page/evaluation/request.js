/** Everything that a request says, and what the run chose. */
import { html } from 'htm/preact';
import { clock } from '../format.js';
import { requestFields, saeFields } from '../form/fields.js';
import { textOf } from '../form/values.js';
import { words } from '../language/words.js';
import { Scroller } from '../shell/scroller.js';

const at = (value, path) => path.split('.').reduce((one, name) => one?.[name], value);

/** Fields that are shown elsewhere on the view. */
const elsewhere = new Set(['name', 'tags', 'notes']);

function Pairs({ pairs }) {
  return html`
    <dl class="pairs">
      ${pairs.map(
        ([name, value, isOverride]) => html`
          <div key=${name} class=${isOverride ? 'override' : undefined}>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>
        `,
      )}
    </dl>
  `;
}

function requestPairs(request) {
  const { form, evaluation } = words();
  const overrides = new Set(['inferK', 'theta', 'prefixes']);
  return requestFields
    .filter(({ path }) => !elsewhere.has(path))
    .flatMap((field) => {
      const value = at(request, field.path);
      const text = [textOf(field, value)].flat().join(', ');
      if (text === '') return [];
      const name = form.fields[field.path]?.[0] ?? field.path;
      const isOverride = overrides.has(field.path);
      return [[isOverride ? `${name} (${evaluation.override})` : name, text, isOverride]];
    });
}

function Saes({ saes }) {
  const { form, evaluation } = words();
  const columns = saeFields.filter(
    ({ path }) => path !== 'label' && saes.some((sae) => textOf({}, sae[path]) !== ''),
  );
  return html`
    <${Scroller} label=${evaluation.saesOfRequest}>
      <table class="given">
        <caption>
          <span>${evaluation.saesOfRequest}</span>
        </caption>
        <thead>
          <tr>
            <th scope="col">${form.saeLabels.label}</th>
            ${columns.map(
              ({ path }) => html`<th scope="col" key=${path}>${form.saeLabels[path] ?? path}</th>`,
            )}
          </tr>
        </thead>
        <tbody>
          ${saes.map(
            (sae, index) => html`
              <tr key=${index}>
                <th scope="row">${sae.label ?? sae.kind ?? index + 1}</th>
                ${columns.map(
                  (field) => html`<td key=${field.path}>${textOf(field, sae[field.path])}</td>`,
                )}
              </tr>
            `,
          )}
        </tbody>
      </table>
    <//>
  `;
}

function runPairs({ config, memory }) {
  const { facts } = words();
  const { architecture, threads, versions, microBatch, saeProducts } = config;
  return [
    [facts.deviceName, `${config.device} — ${config.deviceName}`],
    [
      facts.architecture,
      facts.architectureOf(architecture.family, architecture.layers, architecture.width),
    ],
    [facts.threads, String(threads)],
    [facts.microBatch, facts.sequences(microBatch.sequences)],
    ...(saeProducts === undefined ? [] : [[facts.saeProducts, saeProducts]]),
    [facts.memory, `${(memory.peakBytes / 2 ** 20).toFixed(0)} MiB`],
    [
      facts.versions,
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
  ];
}

export function Request({ record }) {
  const { request, createdAt, submittedBy, rerunOf, result } = record;
  const { evaluation, facts } = words();
  return html`
    <section class="card">
      <h2>${evaluation.request}</h2>
      <${Pairs}
        pairs=${[
          ...requestPairs(request),
          [facts.submitted, clock(createdAt)],
          ...(submittedBy === null ? [] : [[facts.submittedBy, submittedBy]]),
          ...(rerunOf
            ? [
                [
                  facts.rerunOf,
                  html`<a href=${`#/evaluations/${rerunOf}`}>${rerunOf.slice(0, 8)}</a>`,
                ],
              ]
            : []),
        ]}
      />
      <${Saes} saes=${request.saes} />
      ${
        result !== null &&
        html`<details>
          <summary>${evaluation.machine}</summary>
          <${Pairs} pairs=${runPairs(result)} />
        </details>`
      }
      <details>
        <summary>${evaluation.asJson}</summary>
        <pre tabindex="0">${JSON.stringify(request, null, 2)}</pre>
      </details>
    </section>
  `;
}
