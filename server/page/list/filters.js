/** The filters of the list. */
import { html } from 'htm/preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { evaluationStatuses } from '../src/schema/status.js';
import { words } from '../language/words.js';

const pauseMs = 250;

/** A text that applies once typing pauses, or at once on Enter. */
function TextFilter({ name, value, onChange }) {
  const [text, setText] = useState(value);
  const timer = useRef(undefined);
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  function apply(next) {
    clearTimeout(timer.current);
    if (next.trim() !== value) onChange(next.trim());
  }
  const { labels, hints } = words().list;
  return html`
    <div>
      <label for=${`filter-${name}`}>${labels[name]}</label>
      <input
        id=${`filter-${name}`}
        type="search"
        placeholder=${hints[name]}
        value=${text}
        onInput=${({ target }) => {
          setText(target.value);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => apply(target.value), pauseMs);
        }}
        onChange=${({ target }) => apply(target.value)}
      />
    </div>
  `;
}

/** The order, for phones: their list has no headings. */
function Order({ shown, columns, onChange }) {
  const { list } = words();
  const plain = ['createdAt', 'name', 'status'].map((id) => [id, list.headings[id]]);
  const metrics = columns.map(({ id, heading }) => [id, heading]);
  return html`
    <div class="phone">
      <label for="filter-sort">${list.sortBy}</label>
      <select
        id="filter-sort"
        value=${shown.sort || 'createdAt'}
        onChange=${({ target }) => onChange({ sort: target.value, order: '' })}
      >
        ${[...plain, ...metrics].map(
          ([id, text]) => html`<option value=${id} key=${id}>${text}</option>`,
        )}
      </select>
    </div>
  `;
}

/**
 * @param columns that are shown
 * @param onChange takes the fields that changed
 */
export function Filters({ shown, columns, onChange }) {
  const { labels, anyStatus } = words().list;
  return html`
    <div class="filters" role="search" aria-label=${words().list.filters}>
      ${['q', 'name', 'tag', 'label'].map(
        (name) => html`
          <${TextFilter}
            key=${name}
            name=${name}
            value=${shown[name]}
            onChange=${(text) => onChange({ [name]: text })}
          />
        `,
      )}
      <div>
        <label for="filter-status">${labels.status}</label>
        <select
          id="filter-status"
          value=${shown.status}
          onChange=${({ target }) => onChange({ status: target.value })}
        >
          <option value="">${anyStatus}</option>
          ${evaluationStatuses.map(
            (name) => html`<option value=${name} key=${name}>${words().statuses[name]}</option>`,
          )}
        </select>
      </div>
      <${Order} ...${{ shown, columns, onChange }} />
    </div>
  `;
}
