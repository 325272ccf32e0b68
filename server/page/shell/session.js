/** The client of this page, and the API key it uses. */
import { SaeEvalClient, UnauthorizedError } from '../src/client/index.js';
import { askForKey } from './key-dialog.js';
import { currentKey } from './key.js';
import { words } from '../language/words.js';

/** Address of the page without its fragment: a proxy may serve it under a path of its own. */
export const base = new URL('.', window.location.href).href;

export function client() {
  const key = currentKey();
  return new SaeEvalClient(base, key === undefined ? {} : { apiKey: key });
}

/** Calls the server. If it requires a key, asks for one and calls again. */
export async function call(body) {
  for (;;) {
    try {
      return await body(client());
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || error.status !== 401) throw error;
      const isWrong = currentKey() !== undefined;
      if (!(await askForKey(isWrong ? words().key.wrong : null))) throw error;
    }
  }
}

/** Opens text of the server in a new tab: a link could not send the key. */
export async function openDocument(load, type) {
  const tab = window.open('', '_blank');
  try {
    const text = await call(load);
    const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
    if (tab === null) window.location.assign(url);
    else tab.location.replace(url);
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    tab?.close();
    throw error;
  }
}

/** The OpenAPI document as text; with keys, a plain link to /docs would be refused. */
export async function apiDescription() {
  const response = await fetch('openapi.json', {
    headers: { authorization: `Bearer ${currentKey()}` },
  });
  return JSON.stringify(await response.json(), null, 2);
}
