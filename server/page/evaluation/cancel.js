/** Asks whether a run is to stop, and whether what it has done is kept. */
import { html } from 'htm/preact';
import { useEffect } from 'preact/hooks';
import { whole } from '../format.js';
import { words } from '../language/words.js';
import { announce } from '../shell/announce.js';
import { call } from '../shell/session.js';
import { hasEnded } from '../src/schema/status.js';

export function CancelDialog({ dialog, record, onProblem }) {
  const { id, status, progress } = record;
  const { cancel } = words();
  const samples = status === 'running' ? (progress?.samples ?? 0) : 0;
  useEffect(() => {
    if (hasEnded(status) && dialog.current.open) dialog.current.close();
  }, [status]);

  async function onClose() {
    const answer = dialog.current.returnValue;
    dialog.current.returnValue = '';
    if (answer !== 'keep' && answer !== 'discard') return;
    try {
      await call((api) => api.cancel(id, answer === 'keep' ? { keep: 'partial' } : {}));
      announce(cancel.cancelling);
    } catch (error) {
      onProblem(error);
    }
  }
  return html`
    <dialog aria-labelledby="cancel-title" ref=${dialog} onClose=${() => void onClose()}>
      <form method="dialog">
        <h2 id="cancel-title">${cancel.title}</h2>
        <p>${samples > 0 ? cancel.running(whole(samples)) : cancel.notBegun}</p>
        <div class="actions">
          ${
            samples > 0 &&
            html`<button type="submit" class="primary" value="keep">${cancel.keep}</button>`
          }
          <button type="submit" class="danger" value="discard">
            ${samples > 0 ? cancel.discard : cancel.only}
          </button>
          <button type="submit" class="quiet" value="">${cancel.goOn}</button>
        </div>
      </form>
    </dialog>
  `;
}
