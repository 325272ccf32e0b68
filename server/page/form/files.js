/** What the server knows of the checkpoints of a form: from its list, or asked for by path. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { call } from '../shell/session.js';
import { isEmpty } from './values.js';

/** Milliseconds of rest after which a path is asked for; longer while the list is on its way. */
const pauseMs = { listed: 400, loading: 2000 };

/** The kind that is evaluated, and what the file says of it; null as long as nobody knows. */
export function choiceOf(file, texts) {
  if (file === null) return null;
  const { choices, kindKnown, namedKind } = file;
  const kind = !isEmpty(texts.kind) ? texts.kind : kindKnown ? choices[0]?.kind : namedKind;
  return choices.find((choice) => choice.kind === kind) ?? null;
}

/**
 * @param checkpoints that the server lists; null until they are there
 * @param paths of the form's checkpoints
 * @returns a function of a path: the file, `null` while nobody knows, or `{ error }`
 */
export function useFiles(checkpoints, paths) {
  const [asked, setAsked] = useState(new Map());
  const listed = useRef(new Map());
  if (listed.current.size === 0 && checkpoints !== null)
    listed.current = new Map(checkpoints.map((entry) => [entry.path, entry]));
  const isKnown = (path) => {
    const entry = listed.current.get(path);
    return (entry !== undefined && entry.candidates.length > 0) || asked.has(path);
  };
  const unknown = [...new Set(paths)].filter((path) => path && !isKnown(path));
  const key = unknown.join('\n');
  useEffect(() => {
    if (unknown.length === 0) return undefined;
    const leave = new AbortController();
    const timer = setTimeout(
      () => {
        for (const path of unknown)
          call((api) => api.inspect(path, { signal: leave.signal })).then(
            (file) => setAsked((old) => new Map(old).set(path, file)),
            (error) => leave.signal.aborted || setAsked((old) => new Map(old).set(path, { error })),
          );
      },
      pauseMs[checkpoints === null ? 'loading' : 'listed'],
    );
    return () => {
      clearTimeout(timer);
      leave.abort();
    };
  }, [key, checkpoints === null]);
  return (path) => {
    const entry = asked.get(path) ?? listed.current.get(path) ?? null;
    return entry !== null && (entry.candidates?.length ?? 0) === 0 && !entry.error ? null : entry;
  };
}
