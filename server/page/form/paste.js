/** Fills the form from a request as JSON, pasted or from a file. */
import { html } from 'htm/preact';
import { useState } from 'preact/hooks';
import { words } from '../language/words.js';

/** The request in a text: itself, or that of a record. @throws Error that says why there is none */
export function requestIn(text) {
  const { paste } = words().form;
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(paste.notJson(error.message), { cause: error });
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new Error(paste.notObject);
  if ('saes' in value) return value;
  if (value.request !== null && typeof value.request === 'object') return value.request;
  throw new Error(paste.noSaes);
}

/** @param onRequest takes the request */
export function Paste({ onRequest, onClose }) {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState(null);
  const { paste, close } = words().form;
  function use() {
    try {
      onRequest(requestIn(text));
      onClose();
    } catch (error) {
      setProblem(error.message);
    }
  }
  return html`
    <section class="card">
      <h2>${paste.title}</h2>
      <label for="paste-text">${paste.label}</label>
      <textarea
        id="paste-text"
        class="mono"
        rows="8"
        spellcheck=${false}
        placeholder=${paste.placeholder}
        value=${text}
        onInput=${({ target }) => setText(target.value)}
      ></textarea>
      <label for="paste-file">${paste.file}</label>
      <input
        id="paste-file"
        type="file"
        accept=".json,application/json"
        onChange=${({ target }) => void target.files[0]?.text().then(setText)}
      />
      ${problem !== null && html`<p class="problem" role="alert">${problem}</p>`}
      <div class="actions">
        <button type="button" class="primary" disabled=${text.trim() === ''} onClick=${use}>
          ${paste.use}
        </button>
        <button type="button" class="quiet" onClick=${onClose}>${close}</button>
      </div>
    </section>
  `;
}
