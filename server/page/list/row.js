/** One evaluation of the list: what it is, where it stands, its headline numbers. */
import { html } from 'htm/preact';
import { ago, clock, duration, fileName, number, titleOf } from '../format.js';
import { words } from '../language/words.js';
import { Progress, StatusPill } from './progress.js';

/** SAEs of a run whose numbers the list shows. */
const mostLines = 4;

/** Whether an evaluation has numbers to compare. */
export function hasNumbers({ status, headline, result }) {
  if (status === 'succeeded' || status === 'partial') return true;
  return status === 'cancelled' && ((headline ?? null) !== null || (result ?? null) !== null);
}

function Lines({ texts, more = 0 }) {
  return html`
    ${texts.map((text, index) => html`<div class="line" key=${index}>${text}</div>`)}
    ${more > 0 ? html`<div class="line soft">${words().list.moreSaes(more)}</div>` : null}
  `;
}

/** Texts that tell runs with the same SAEs apart. */
function settingsOf({ request, device, submittedBy }) {
  const { dataset, inferK, theta, prefixes } = request;
  const { settings } = words();
  const [sweep] = Object.entries({ inferK, θ: theta, prefixes }).filter(
    ([, value]) => value !== undefined,
  );
  return [
    dataset.path,
    settings(dataset.maxSamples, dataset.seqLen),
    sweep === undefined ? null : `${sweep[0]} ${[sweep[1]].flat().join(', ')}`,
    device,
    submittedBy,
  ].filter((text) => text !== null && text !== undefined);
}

/** The SAEs of a run; if the list is sorted by a metric, in that order too. */
function saesOf({ headline }, { sort, order, columns }) {
  const saes = headline?.saes ?? [];
  const better = columns.find(({ id }) => id === sort)?.better;
  if (better === undefined) return saes;
  const isDown = (order || (better === 'higher' ? 'desc' : 'asc')) === 'desc';
  const last = isDown ? -Infinity : Infinity;
  const read = ({ values }) => values[sort] ?? last;
  return saes.toSorted((a, b) => (isDown ? read(b) - read(a) : read(a) - read(b)) || 0);
}

function Value({ column, item, saes }) {
  const { id, title } = column;
  if (id === 'model')
    return html`<td class="small" data-title=${title}>${fileName(item.request.model)}</td>`;
  if (id === 'seconds')
    return html`<td class="value" data-title=${title}>${duration(item.headline?.seconds)}</td>`;
  return html`
    <td class="value" data-title=${title}>
      <${Lines} texts=${saes.map(({ values }) => number(values[id]))} />
    </td>
  `;
}

export function Row({ item, columns, shown: { sort, order }, isSelected, onSelect, onTag }) {
  const title = titleOf(item);
  const { list } = words();
  const saes = saesOf(item, { sort, order, columns });
  const shown = saes.slice(0, mostLines);
  const more = saes.length - shown.length + (item.headline?.more ?? 0);
  return html`
    <tr data-id=${item.id}>
      <td class="pick">
        <input
          type="checkbox"
          aria-label=${list.select(title, ago(item.createdAt))}
          checked=${isSelected}
          disabled=${!hasNumbers(item)}
          onChange=${({ target }) => onSelect(target.checked)}
        />
      </td>
      <td class="what">
        <a href=${`#/evaluations/${item.id}`}>${title}</a>
        <div class="soft small">${settingsOf(item).join(' · ')}</div>
        <div class="tags">
          ${(item.request.tags ?? []).map(
            (tag) => html`
              <button
                type="button"
                class="tag"
                key=${tag}
                aria-label=${list.onlyTag(tag)}
                onClick=${() => onTag(tag)}
              >
                ${tag}
              </button>
            `,
          )}
        </div>
      </td>
      <td class="state">
        <${StatusPill} status=${item.status} />
        <div><${Progress} item=${item} /></div>
      </td>
      <td class="saes"><${Lines} texts=${shown.map(({ label }) => label)} more=${more} /></td>
      ${columns.map(
        (column) => html`<${Value} key=${column.id} column=${column} item=${item} saes=${shown} />`,
      )}
      <td class="when soft small">
        <time datetime=${item.createdAt} title=${clock(item.createdAt)}
          >${ago(item.createdAt)}</time
        >
      </td>
    </tr>
  `;
}
