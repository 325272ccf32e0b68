/** What a view loads before it is drawn. */
import { useEffect, useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { words } from '../language/words.js';

/**
 * The value of a promise that a view needs, loaded again when `keys` change.
 *
 * @param load takes `{ signal }`, which aborts when the view is left
 * @returns {{ value: unknown, error: Error|null }} `value` is null until it is there
 */
export function useLoaded(load, keys) {
  const [state, setState] = useState({ value: null, error: null });
  useEffect(() => {
    const leave = new AbortController();
    load({ signal: leave.signal }).then(
      (value) => leave.signal.aborted || setState({ value, error: null }),
      (error) => leave.signal.aborted || setState({ value: null, error }),
    );
    return () => leave.abort();
  }, keys);
  return state;
}

/** Shown instead of a view that is loading or could not be loaded. */
export function Waiting({ error }) {
  if (error === null) return html`<p class="soft">${words().loading}</p>`;
  return html`
    <p class="problem" role="alert">${error.message}</p>
    <p><a href="#/">${words().allEvaluations}</a></p>
  `;
}

/** Note that shows while the server cannot be reached; screen readers announce it. */
export function ConnectionNote({ isLost }) {
  return html`<p class="problem" role="status" hidden=${!isLost}>
    ${isLost ? words().unreachable : ''}
  </p>`;
}
