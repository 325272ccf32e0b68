/** The selected evaluations. The selection lasts while one looks at others. */
import { html } from 'htm/preact';
import { useState } from 'preact/hooks';
import { language, words } from '../language/words.js';
import { go } from '../shell/address.js';
import { openDocument } from '../shell/session.js';

let kept = new Set();

export function useSelection() {
  const [selected, setSelected] = useState(kept);
  const set = (next) => setSelected((kept = next));
  return {
    selected,
    clear: () => set(new Set()),
    select: (ids, isSelected) => {
      const next = new Set(selected);
      for (const id of ids)
        if (isSelected) next.add(id);
        else next.delete(id);
      set(next);
    },
  };
}

export function SelectionBar({ selected, onClear, onProblem }) {
  const { list } = words();
  const ids = [...selected];
  if (ids.length === 0) return html`<p class="soft small">${list.howToSelect}</p>`;
  const report = () =>
    openDocument(
      (api) => api.compare(ids, { format: 'html', lang: language() }),
      'text/html',
    ).catch(onProblem);
  return html`
    <div class="actions" role="group" aria-label=${list.selected(ids.length)}>
      <span>${list.selected(ids.length)}</span>
      <button
        type="button"
        disabled=${ids.length < 2}
        onClick=${() => go(`compare/${ids.join(',')}`)}
      >
        ${list.compare}
      </button>
      <button type="button" onClick=${() => go(`frontier/${ids.join(',')}`)}>
        ${list.frontier}
      </button>
      <button type="button" onClick=${() => void report()}>${list.report}</button>
      <button type="button" class="quiet" onClick=${onClear}>${list.clear}</button>
    </div>
  `;
}
