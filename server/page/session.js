/** The client of this page, and the API key it uses. */
import { SaeEvalClient, UnauthorizedError } from './client/index.js';

const storage = 'sae-eval api key';
/** Address of the page without its fragment: a proxy may serve it under a path of its own. */
const base = new URL('.', window.location.href).href;
let key = sessionStorage.getItem(storage) ?? undefined;
let asking = null;

export const hasKey = () => key !== undefined;

export function client() {
  return new SaeEvalClient(base, key === undefined ? {} : { apiKey: key });
}

/** Calls the server. If it requires a key, asks for one and calls again. */
export async function call(body) {
  for (;;) {
    try {
      return await body(client());
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || error.status !== 401) throw error;
      document.getElementById('key-button').hidden = false;
      if (!(await askForKey(key === undefined ? null : 'The server does not know this key.')))
        throw error;
    }
  }
}

/** Asks for a key in a dialog that callers share. @returns whether a key was given */
export function askForKey(problem = null) {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById('key-dialog');
    const input = document.getElementById('key-input');
    const message = document.getElementById('key-problem');
    message.hidden = problem === null;
    message.textContent = problem ?? '';
    input.value = '';
    dialog.returnValue = '';
    dialog.showModal();
    dialog.addEventListener(
      'close',
      () => {
        const isGiven = dialog.returnValue === 'given' && input.value.trim() !== '';
        if (isGiven) {
          key = input.value.trim();
          sessionStorage.setItem(storage, key);
          document.getElementById('key-button').hidden = false;
        }
        input.value = '';
        asking = null;
        resolve(isGiven);
      },
      { once: true },
    );
  });
  return asking;
}

/** Opens text of the server in a new tab: a link could not send the key. */
export async function openDocument(load, type) {
  const tab = window.open('', '_blank');
  const text = await call(load);
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  if (tab === null) window.location.assign(url);
  else tab.location.replace(url);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** The OpenAPI document as text; with keys, a plain link to /docs would be refused. */
export async function apiDescription() {
  const response = await fetch('openapi.json', { headers: { authorization: `Bearer ${key}` } });
  return JSON.stringify(await response.json(), null, 2);
}
