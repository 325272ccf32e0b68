/** The latents of an evaluation one by one: a table that sorts and turns pages, and one opened. */
import { html } from 'htm/preact';
import { useState } from 'preact/hooks';
import { number, whole } from '../format.js';
import { words } from '../language/words.js';
import { hasKey } from '../shell/key.js';
import { useLoaded } from '../shell/loading.js';
import { Scroller } from '../shell/scroller.js';
import { call } from '../shell/session.js';
import { ContextText } from './context.js';
import { OpenedLatent } from './latent.js';

const perPage = 20;

/** Columns of the table: the one that it is sorted by, and its text. */
const columns = [
  ['latent', ({ latent, layer }) => (layer === null ? latent : `${latent} (${layer})`)],
  ['density', ({ density }) => number(density)],
  ['mean', ({ mean }) => number(mean)],
  ['max', ({ max }) => number(max)],
  ['sampleShare', ({ sampleShare }) => number(sampleShare)],
  ['encoderNorm', ({ encoderNorm }) => number(encoderNorm)],
  ['decoderNorm', ({ decoderNorm }) => number(decoderNorm)],
  ['encoderDecoderCosine', ({ encoderDecoderCosine }) => number(encoderDecoderCosine)],
  ['twinCosine', ({ twinCosine }) => number(twinCosine)],
];

const firstOrder = (column) => (column === 'latent' ? 'asc' : 'desc');

function Heading({ column, shown, onSort }) {
  const [name, meaning] = words().latents.columns[column];
  const order = shown.sort === column ? shown.order : null;
  return html`
    <th scope="col" title=${meaning} aria-sort=${{ asc: 'ascending', desc: 'descending' }[order]}>
      <button type="button" class="sort" onClick=${onSort}>
        ${name}<span aria-hidden="true">${{ asc: ' ▲', desc: ' ▼' }[order] ?? ''}</span>
      </button>
    </th>
  `;
}

function Row({ row, onOpen }) {
  const { latents } = words();
  const [top] = row.contexts;
  return html`
    <tr>
      ${columns.map(([column, text]) =>
        column === 'latent'
          ? html`<th scope="row" key=${column}>
              <button type="button" class="quiet" onClick=${onOpen}>
                <span class="visually-hidden">${latents.open} </span>${text(row)}
              </button>
            </th>`
          : html`<td key=${column}>${text(row)}</td>`,
      )}
      <td class="left">
        ${top === undefined ? null : html`<${ContextText} context=${top} max=${row.max} short />`}
      </td>
    </tr>
  `;
}

function Table({ found, shown, onSort, onOpen }) {
  const { latents } = words();
  const { m, dead, positions, samples } = found;
  const title = latents.summary(whole(m), whole(dead), whole(positions), whole(samples));
  return html`
    <${Scroller} label=${latents.title}>
      <table class="results latents">
        <caption>
          <span>${title}</span>
        </caption>
        <thead>
          <tr>
            ${columns.map(
              ([column]) => html`
                <${Heading}
                  key=${column}
                  column=${column}
                  shown=${shown}
                  onSort=${() => onSort(column)}
                />
              `,
            )}
            <th scope="col" class="left">${latents.top}</th>
          </tr>
        </thead>
        <tbody>
          ${found.latents.map(
            (row) => html`
              <${Row} key=${row.latent} row=${row} onOpen=${() => onOpen(row.latent)} />
            `,
          )}
        </tbody>
      </table>
    <//>
  `;
}

function Pages({ shown, m, onTurn }) {
  const { latents } = words();
  const last = Math.min(m, shown.offset + perPage);
  return html`
    <div class="actions">
      <button
        type="button"
        disabled=${shown.offset === 0}
        onClick=${() => onTurn(shown.offset - perPage)}
      >
        ${latents.before}
      </button>
      <span class="soft small">${whole(shown.offset + 1)}–${whole(last)} / ${whole(m)}</span>
      <button type="button" disabled=${last === m} onClick=${() => onTurn(shown.offset + perPage)}>
        ${latents.next}
      </button>
    </div>
  `;
}

function Sae({ saes, sae, onChoose }) {
  if (saes.length < 2) return null;
  return html`
    <label>
      ${words().results.sae}${' '}
      <select value=${sae} onChange=${(event) => onChoose(event.target.value)}>
        ${saes.map((label) => html`<option key=${label} value=${label}>${label}</option>`)}
      </select>
    </label>
  `;
}

function Loaded({ id }) {
  const { latents } = words();
  const [asked, setAsked] = useState({ sort: 'density', order: 'desc', offset: 0 });
  const [opened, setOpened] = useState(null);
  const change = (more) => setAsked((old) => ({ ...old, ...more }));
  // Headings and rows change together, when the rows are there.
  const { value, error } = useLoaded(
    async ({ signal }) => ({
      shown: asked,
      found: await call((api) => api.latents(id, { ...asked, limit: perPage, signal })),
    }),
    [id, JSON.stringify(asked)],
  );
  function onSort(column) {
    const first = firstOrder(column);
    const second = first === 'asc' ? 'desc' : 'asc';
    const isAgain = asked.sort === column && asked.order === first;
    change({ sort: column, order: isAgain ? second : first, offset: 0 });
  }
  function onChoose(sae) {
    setOpened(null);
    change({ sae, offset: 0 });
  }
  if (error !== null) return html`<p class="problem" role="alert">${error.message}</p>`;
  if (value === null) return html`<p class="soft">${words().loading}</p>`;
  const { shown, found } = value;
  return html`
    <div class="actions">
      <${Sae} saes=${found.saes} sae=${found.sae} onChoose=${onChoose} />
      ${
        !hasKey() &&
        html`<a class="button" href=${`v1/evaluations/${id}/latents?format=parquet`}>Parquet</a>`
      }
    </div>
    <${Table} found=${found} shown=${shown} onSort=${onSort} onOpen=${setOpened} />
    <${Pages} shown=${shown} m=${found.m} onTurn=${(offset) => change({ offset })} />
    ${
      opened === null
        ? html`<p class="soft small">${latents.help}</p>`
        : html`<${OpenedLatent}
            id=${id}
            sae=${found.sae}
            latent=${opened}
            onOpen=${setOpened}
            onClose=${() => setOpened(null)}
          />`
    }
  `;
}

/** The section of an ended evaluation whose request has `latents`. */
export function Latents({ record }) {
  if (record.result === null || record.request.latents === undefined) return null;
  return html`
    <section class="card" aria-label=${words().latents.title}>
      <h2>${words().latents.title}</h2>
      <${Loaded} id=${record.id} />
    </section>
  `;
}
