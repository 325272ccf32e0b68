/** The language of the page: the browser's, or the one that was chosen, which is remembered. */
import { useEffect, useState } from 'preact/hooks';
import { en } from './en.js';
import { zh } from './zh.js';

const languages = { en, zh };
const storage = 'sae-eval language';
const listeners = new Set();

function remembered() {
  try {
    return localStorage.getItem(storage);
  } catch {
    return null;
  }
}

/** The first of the browser's languages that the page speaks. */
function ofBrowser() {
  const known = navigator.languages.map((tag) => tag.split('-', 1)[0]);
  return known.find((name) => name in languages) ?? 'en';
}

const chosen = remembered();
let current = chosen in languages ? chosen : ofBrowser();

export const language = () => current;
/** The texts of the page in its language. */
export const words = () => languages[current];
/** A text of the server that comes in both languages. */
export const inLanguage = (bilingual) => bilingual?.[current] ?? bilingual?.en ?? '';

export function setLanguage(name) {
  current = name;
  try {
    localStorage.setItem(storage, name);
  } catch {
    // It lasts as long as the page then.
  }
  for (const listener of listeners) listener(name);
}

/** The language; whoever asks is drawn again when it changes. */
export function useLanguage() {
  const [name, setName] = useState(current);
  useEffect(() => {
    listeners.add(setName);
    return () => listeners.delete(setName);
  }, []);
  return name;
}
