/** The dialog that asks for an API key. Callers share it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { words } from '../language/words.js';
import { keyIsAsked, setKey } from './key.js';

let open = null;
let asking = null;

/** Asks for a key. @returns whether one was given */
export function askForKey(problem = null) {
  keyIsAsked();
  asking ??= new Promise((resolve) =>
    open(problem, (isGiven) => {
      asking = null;
      resolve(isGiven);
    }),
  );
  return asking;
}

export function KeyDialog() {
  const dialog = useRef(null);
  const input = useRef(null);
  const done = useRef(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    open = (message, onDone) => {
      done.current = onDone;
      setProblem(message);
      input.current.value = '';
      dialog.current.returnValue = '';
      dialog.current.showModal();
    };
  }, []);
  function close() {
    const text = input.current.value.trim();
    const isGiven = dialog.current.returnValue === 'given' && text !== '';
    if (isGiven) setKey(text);
    input.current.value = '';
    done.current(isGiven);
  }
  const { key } = words();
  return html`
    <dialog aria-labelledby="key-title" ref=${dialog} onClose=${close}>
      <form method="dialog">
        <h2 id="key-title">${key.title}</h2>
        <p>${key.explanation}</p>
        <label for="key-input">${key.label}</label>
        <input
          id="key-input"
          type="password"
          autocomplete="current-password"
          required
          spellcheck=${false}
          ref=${input}
        />
        <p class="problem" role="alert" hidden=${problem === null}>${problem}</p>
        <div class="actions">
          <button type="submit" class="primary" value="given">${key.proceed}</button>
        </div>
      </form>
    </dialog>
  `;
}
