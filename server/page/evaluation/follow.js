/** An evaluation as it is now: loaded, then followed by its events until it ends. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { words } from '../language/words.js';
import { announce } from '../shell/announce.js';
import { call, client } from '../shell/session.js';
import { hasEnded } from '../src/schema/status.js';

const betweenPlaces = 2000;
/** Numbers of SAEs come in bursts; they are drawn together. */
const betweenResults = 250;

/**
 * @returns {{ record: object|null, results: object[], isLost: boolean, problem: Error|null,
 *   setProblem: (error: Error|null) => void }} `isLost`: the server cannot be reached
 */
export function useEvaluation(id) {
  const [record, setRecord] = useState(null);
  const [results, setResults] = useState([]);
  const [isLost, setLost] = useState(false);
  const [problem, setProblem] = useState(null);
  const latest = useRef(null);

  useEffect(() => {
    const leave = new AbortController();
    const { signal } = leave;
    const found = new Map();
    let timer;

    function take(next) {
      const before = latest.current;
      latest.current = next;
      setRecord(next);
      if (before !== null && before.status !== next.status)
        announce(words().evaluation.became(words().statuses[next.status]));
      if ((next.result ?? null) === null) return;
      for (const result of next.result.results) found.set(result.label, result);
      setResults([...found.values()]);
    }
    const load = async () => take(await call((api) => api.get(id, { signal })));

    /** Asks for the place in the queue: no event tells that other evaluations moved it. */
    async function followPlace() {
      while (latest.current.status === 'queued') {
        await new Promise((resolve) => setTimeout(resolve, betweenPlaces));
        if (signal.aborted || latest.current.status !== 'queued') return;
        const { position, waitingFor } = await call((api) => api.summary(id, { signal }));
        if (latest.current.status !== 'queued') return;
        take({ ...latest.current, position, waitingFor });
      }
    }

    function onEvent({ event, data }) {
      if (event === 'progress') {
        const { status, progress, waitingFor = null } = data;
        const { position, progress: before } = latest.current;
        take({
          ...latest.current,
          status,
          progress: progress ?? before,
          position: status === 'queued' ? position : null,
          waitingFor,
        });
      } else if (event === 'result') {
        found.set(data.label, data);
        timer ??= setTimeout(() => {
          timer = undefined;
          setResults([...found.values()]);
        }, betweenResults);
      }
    }

    async function follow() {
      await load();
      if (hasEnded(latest.current.status)) return;
      void followPlace().catch(() => {});
      // The page continues when the server or the network is back, however long that takes.
      const onFailure = () => setLost(true);
      const events = client().watch(id, { signal, attempts: Infinity, onFailure });
      for await (const event of events) {
        setLost(false);
        onEvent(event);
      }
      setLost(false);
      await load();
    }

    follow().catch((error) => {
      if (!signal.aborted) setProblem(error);
    });
    return () => {
      leave.abort();
      clearTimeout(timer);
    };
  }, [id]);

  return { record, results, isLost, problem, setProblem };
}
