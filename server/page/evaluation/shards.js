/** Shards of a running evaluation, and the workers that compute them. */
import { html } from 'htm/preact';
import { useEffect, useState } from 'preact/hooks';
import { whole } from '../format.js';
import { words } from '../language/words.js';
import { call } from '../shell/session.js';

const betweenLooks = 3000;

/** The workers, asked for again and again while it runs. */
function useWorkers(isRunning) {
  const [workers, setWorkers] = useState([]);
  useEffect(() => {
    if (!isRunning) return undefined;
    const leave = new AbortController();
    const { signal } = leave;
    let timer;
    const look = () =>
      call((api) => api.workers({ signal }))
        .then(setWorkers)
        .catch(() => {})
        .finally(() => {
          if (!signal.aborted) timer = setTimeout(look, betweenLooks);
        });
    void look();
    return () => {
      leave.abort();
      clearTimeout(timer);
    };
  }, [isRunning]);
  return workers;
}

export function Shards({ record }) {
  const shards = record.progress?.shards;
  const isRunning = record.status === 'running' && shards !== undefined;
  const workers = useWorkers(isRunning);
  if (!isRunning) return null;
  const { shards: text } = words();
  return html`
    <section class="card">
      <h2>${text.title}</h2>
      <p>
        <progress aria-label=${text.title} max=${shards.total} value=${shards.done}></progress>
      </p>
      <p>${text.counts(...[shards.done, shards.total, shards.running, shards.lost].map(whole))}</p>
      ${
        workers.length > 0 &&
        html`<div class="scroll" tabindex="0" role="region" aria-label=${text.workers}>
          <table>
            <caption>
              ${text.workers}
            </caption>
            <thead>
              <tr>
                ${text.columns.map((name) => html`<th scope="col" key=${name}>${name}</th>`)}
              </tr>
            </thead>
            <tbody>
              ${workers.map(
                ({ id, host, device, kind, state, run, shard, problem }) => html`
                  <tr key=${id}>
                    <td>${host}</td>
                    <td>${device}</td>
                    <td>${kind}</td>
                    <td>${problem ?? text.states[state]}</td>
                    <td>${run === record.id ? whole(shard) : '–'}</td>
                  </tr>
                `,
              )}
            </tbody>
          </table>
        </div>`
      }
    </section>
  `;
}
