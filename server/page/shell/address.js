/** The address after #: a path, and a query such as `?status=running&sort=name`. */
import { useEffect, useState } from 'preact/hooks';

function read() {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  try {
    return { path: decodeURIComponent(path), query: new URLSearchParams(query) };
  } catch {
    return { path: '', query: new URLSearchParams() };
  }
}

const listeners = new Set();
window.addEventListener('hashchange', () => listeners.forEach((listener) => listener()));

/** The current address; the view is drawn again when it changes. */
export function useAddress() {
  const [address, setAddress] = useState(read);
  useEffect(() => {
    const onChange = () => setAddress(read());
    listeners.add(onChange);
    return () => listeners.delete(onChange);
  }, []);
  return address;
}

/** The query as it stands, for what happens later than the drawing. */
export const currentQuery = () => read().query;

export function go(path) {
  location.hash = `#/${path}`;
}

/** Replaces the query of the address, without a step in the history. */
export function replaceQuery(query) {
  const [path] = location.hash.split('?');
  const text = query.toString();
  history.replaceState(null, '', `${path || '#/'}${text === '' ? '' : `?${text}`}`);
  listeners.forEach((listener) => listener());
}
