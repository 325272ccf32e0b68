/** The pages of the list that are shown, kept fresh while the page is visible. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { hasEnded } from '../src/schema/status.js';
import { call } from '../shell/session.js';
import { givenOf } from './query.js';

/** Evaluations of a page, unless the address has a `limit`. */
const perPage = 50;
/** Milliseconds between refreshes: less often if nothing runs or much is shown. */
const quick = 2000;
const slow = 10_000;

async function load(shown, pages, signal) {
  const items = [];
  let cursor;
  for (let page = 0; page < pages; page++) {
    const answer = await call((api) =>
      api.list({
        limit: perPage,
        ...givenOf(shown),
        signal,
        ...(cursor === undefined ? {} : { cursor }),
      }),
    );
    items.push(...answer.items);
    cursor = answer.nextCursor ?? undefined;
    if (cursor === undefined) break;
  }
  return { items, hasMore: cursor !== undefined };
}

/**
 * @param shown filters and order
 * @returns {{ items: object[]|null, hasMore: boolean, error: Error|null, isLost: boolean,
 *   more: () => void }} `error` tells that the first page could not be loaded
 */
export function usePages(shown) {
  const key = JSON.stringify(shown);
  const [pages, setPages] = useState(1);
  const [state, setState] = useState({ items: null, hasMore: false, error: null, isLost: false });
  const before = useRef(key);
  useEffect(() => {
    const leave = new AbortController();
    let timer;
    const isNew = before.current !== key;
    before.current = key;
    // Another order starts from its first page.
    if (isNew && pages > 1) {
      setPages(1);
      return undefined;
    }
    async function refresh() {
      let wait = slow;
      if (!document.hidden || state.items === null)
        try {
          const { items, hasMore } = await load(shown, pages, leave.signal);
          if (leave.signal.aborted) return;
          setState({ items, hasMore, error: null, isLost: false });
          if (pages <= 2 && items.some(({ status }) => !hasEnded(status))) wait = quick;
        } catch (error) {
          if (leave.signal.aborted) return;
          setState((old) =>
            old.items === null || error.status === 422
              ? { ...old, error }
              : { ...old, isLost: true },
          );
        }
      else wait = quick;
      timer = setTimeout(() => void refresh(), pages <= 2 ? quick : wait);
    }
    void refresh();
    return () => {
      leave.abort();
      clearTimeout(timer);
    };
  }, [key, pages]);
  return { ...state, more: () => setPages((count) => count + 1) };
}
