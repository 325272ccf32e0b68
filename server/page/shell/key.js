/** The API key, kept in this tab only. */
const storage = 'sae-eval api key';
let key = sessionStorage.getItem(storage) ?? undefined;
let wasAsked = false;
const listeners = new Set();
const tell = () => listeners.forEach((listener) => listener());

export const currentKey = () => key;
export const hasKey = () => key !== undefined;

export function setKey(text) {
  key = text;
  sessionStorage.setItem(storage, text);
  tell();
}

/** Whether this server has to do with keys, so that a button to give one makes sense. */
export const usesKeys = () => hasKey() || wasAsked;

export function keyIsAsked() {
  wasAsked = true;
  tell();
}

/** Calls `listener` when `usesKeys` may have changed. @returns a function that stops it */
export function onKey(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
