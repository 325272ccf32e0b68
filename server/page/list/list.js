/** The list of evaluations: filters, order, headline numbers; select some to compare them. */
import { html } from 'htm/preact';
import { useState } from 'preact/hooks';
import { words } from '../language/words.js';
import { loadMetrics } from '../metrics.js';
import { currentQuery, useAddress } from '../shell/address.js';
import { loadCaller } from '../shell/caller.js';
import { ConnectionNote, useLoaded, Waiting } from '../shell/loading.js';
import { ColumnChoice, columnsOf, rememberColumns, rememberedColumns } from './columns.js';
import { Filters } from './filters.js';
import { usePages } from './pages.js';
import { isFiltered, readQuery, writeQuery } from './query.js';
import { Runs } from './runs.js';
import { SelectionBar, useSelection } from './selection.js';

function Empty({ isFilteredList, onClear }) {
  const { list } = words();
  return html`
    <div class="empty">
      <strong>${isFilteredList ? list.nothingMatches : list.none}</strong>
      ${
        isFilteredList
          ? html`<button type="button" class="quiet" onClick=${onClear}>
              ${list.clearFilters}
            </button>`
          : html`<a href="#/new">${list.submitFirst}</a>`
      }
    </div>
  `;
}

export function List() {
  const { query } = useAddress();
  const shown = readQuery(query);
  const [columns, setColumns] = useState(rememberedColumns);
  const [problem, setProblem] = useState(null);
  const { selected, select, clear } = useSelection();
  const { items, hasMore, error, isLost, more } = usePages(shown);
  const { value: metrics, error: metricsError } = useLoaded(loadMetrics, []);
  const { value: caller } = useLoaded(loadCaller, []);
  const all = columnsOf(metrics ?? []);
  const chosen = columns.flatMap((id) => all.filter((column) => column.id === id));
  const change = (fields) => writeQuery({ ...readQuery(currentQuery()), ...fields });
  const onSort = (sort, order) => change({ sort, order });
  const clearFilters = () => change({ q: '', name: '', tag: '', label: '', status: '' });
  if (metrics === null) return html`<${Waiting} error=${metricsError} />`;
  return html`
    <div class="heading">
      <h1>${words().titles.list}</h1>
      ${
        caller?.role !== 'read' &&
        html`<a class="button primary" href="#/new">${words().titles.form}</a>`
      }
    </div>
    <${Filters} shown=${shown} columns=${chosen} onChange=${change} />
    <${ConnectionNote} isLost=${isLost} />
    ${[error, problem].map((one) =>
      one === null ? null : html`<p class="problem" role="alert">${one.message}</p>`,
    )}
    <section class="card">
      <${SelectionBar} selected=${selected} onClear=${clear} onProblem=${setProblem} />
      <${ColumnChoice}
        columns=${all}
        chosen=${columns}
        onChange=${(ids) => {
          rememberColumns(ids);
          setColumns(ids);
        }}
      />
      ${
        items === null
          ? error === null && html`<p class="soft">${words().loading}</p>`
          : items.length === 0
            ? html`<${Empty} isFilteredList=${isFiltered(shown)} onClear=${clearFilters} />`
            : html`<${Runs}
                ...${{ items, shown, columns: chosen, selected, onSelect: select, onSort }}
                onTag=${(tag) => change({ tag })}
              />`
      }
      <div class="actions">
        ${
          hasMore
            ? html`<button type="button" class="quiet" onClick=${more}>
                ${words().list.more}
              </button>`
            : null
        }
      </div>
    </section>
  `;
}
