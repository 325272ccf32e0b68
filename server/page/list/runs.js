/** The table of evaluations, whose headings sort. */
import { html } from 'htm/preact';
import { words } from '../language/words.js';
import { Scroller } from '../shell/scroller.js';
import { hasNumbers, Row } from './row.js';

/** A heading that sorts; pressed again, it turns the order round. */
function SortHeading({ id, text, soft, first, shown, onSort, ...rest }) {
  const isSorted = (shown.sort || 'createdAt') === id;
  const order = isSorted ? shown.order || first : null;
  const next = order === first ? (first === 'asc' ? 'desc' : 'asc') : first;
  return html`
    <th scope="col" aria-sort=${{ asc: 'ascending', desc: 'descending' }[order]} ...${rest}>
      <button type="button" class="sort" onClick=${() => onSort(id, next)}>
        ${text}<span aria-hidden="true">${{ asc: ' ▲', desc: ' ▼' }[order] ?? ''}</span>
      </button>
      ${soft ? html`<div class="soft small">${soft}</div>` : null}
    </th>
  `;
}

/** The order in which a column is sorted first, as the API does. */
function firstOrder({ id, better }) {
  return better === 'higher' || id === 'seconds' ? 'desc' : 'asc';
}

export function Runs({ items, columns, shown, selected, onSelect, onSort, onTag }) {
  const { list } = words();
  const sorting = { shown, onSort };
  const usable = items.filter(hasNumbers).map(({ id }) => id);
  return html`
    <${Scroller} label=${list.table}>
      <table class="runs">
        <caption class="visually-hidden">
          ${list.table}
        </caption>
        <thead>
          <tr>
            <th scope="col">
              <input
                type="checkbox"
                aria-label=${list.pickAll}
                checked=${usable.length > 0 && usable.every((id) => selected.has(id))}
                disabled=${usable.length === 0}
                onChange=${({ target }) => onSelect(usable, target.checked)}
              />
            </th>
            ${['name', 'status'].map(
              (id) =>
                html`<${SortHeading}
                  key=${id}
                  ...${{ id, ...sorting }}
                  first="asc"
                  text=${list.headings[id]}
                />`,
            )}
            <th scope="col">${list.headings.saes}</th>
            ${columns.map(
              (column) =>
                html`<${SortHeading}
                  key=${column.id}
                  ...${{ id: column.id, soft: column.soft, ...sorting }}
                  class=${column.id === 'model' ? undefined : 'value'}
                  first=${firstOrder(column)}
                  text=${column.heading}
                />`,
            )}
            <${SortHeading}
              id="createdAt"
              ...${sorting}
              first="desc"
              text=${list.headings.createdAt}
            />
          </tr>
        </thead>
        <tbody>
          ${items.map(
            (item) =>
              html`<${Row}
                key=${item.id}
                ...${{ item, columns, shown, onTag }}
                isSelected=${selected.has(item.id)}
                onSelect=${(isSelected) => onSelect([item.id], isSelected)}
              />`,
          )}
        </tbody>
      </table>
    <//>
  `;
}
