/** Title of an evaluation, its tags and notes, and what one can do with it. */
import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import { titleOf } from '../format.js';
import { words } from '../language/words.js';
import { StatusPill } from '../list/progress.js';
import { go } from '../shell/address.js';
import { announce } from '../shell/announce.js';
import { loadCaller, mayEnd, maySubmit } from '../shell/caller.js';
import { useLoaded } from '../shell/loading.js';
import { call } from '../shell/session.js';
import { hasEnded } from '../src/schema/status.js';
import { CancelDialog } from './cancel.js';

function Tags({ tags }) {
  return html`
    <div class="tags">
      ${tags.map(
        (tag) => html`
          <a class="tag" key=${tag} href=${`#/?tag=${encodeURIComponent(tag)}`}>${tag}</a>
        `,
      )}
    </div>
  `;
}

export function Heading({ record, onProblem }) {
  const { id, status, request } = record;
  const { evaluation } = words();
  const { value: caller } = useLoaded(loadCaller, []);
  const isOwn = mayEnd(caller, record);
  const cancelling = useRef(null);
  const heading = useRef(null);
  const isOver = hasEnded(status);
  const actions = useRef(null);
  const hadFocus = useRef(false);
  hadFocus.current = actions.current?.contains(document.activeElement) ?? false;
  // The pressed button is gone.
  useEffect(() => {
    if (hadFocus.current && !actions.current.contains(document.activeElement))
      heading.current.focus();
  }, [isOver]);

  async function remove() {
    if (!confirm(evaluation.askRemove)) return;
    try {
      await call((api) => api.remove(id));
      announce(evaluation.removed);
      go('');
    } catch (error) {
      onProblem(error);
    }
  }
  async function runAgain() {
    try {
      const { id: next } = await call((api) => api.rerun(id));
      announce(words().form.submitted);
      go(`evaluations/${next}`);
    } catch (error) {
      onProblem(error);
    }
  }
  return html`
    <div class="heading">
      <div>
        <h1 tabindex="-1" ref=${heading}>${titleOf(record)}</h1>
        <${StatusPill} status=${status} />
        <${Tags} tags=${request.tags ?? []} />
      </div>
      <div ref=${actions}>
        ${
          maySubmit(caller) &&
          html`
            <button type="button" onClick=${() => void runAgain()}>${evaluation.runAgain}</button>
            <a class="button" href=${`#/new?from=${id}`}>${evaluation.edit}</a>
          `
        }
        ${
          isOwn &&
          (isOver
            ? html`<button
                key="remove"
                type="button"
                class="quiet danger"
                onClick=${() => void remove()}
              >
                ${evaluation.remove}
              </button>`
            : html`<button
                key="cancel"
                type="button"
                class="danger"
                onClick=${() => cancelling.current.showModal()}
              >
                ${evaluation.cancel}
              </button>`)
        }
      </div>
    </div>
    ${request.notes ? html`<p class="notes">${request.notes}</p>` : null}
    <${CancelDialog} dialog=${cancelling} record=${record} onProblem=${onProblem} />
  `;
}
