/** Progress of an evaluation in one line of the list. */
import { html } from 'htm/preact';
import { duration, number, whole } from '../format.js';
import { inLanguage, words } from '../language/words.js';

function waitingText({ position, waitingFor }) {
  const { progress } = words();
  if (waitingFor !== null && waitingFor !== undefined) return inLanguage(waitingFor);
  return position === null ? progress.waiting : progress.place(position);
}

export function Progress({ item }) {
  const { status, progress: state, error } = item;
  const { progress } = words();
  const soft = (text) => html`<span class="soft small">${text}</span>`;
  if (error !== null && status !== 'cancelled') return soft(error.message.slice(0, 120));
  if (status === 'queued') return soft(waitingText(item));
  if (state === null || state === undefined)
    return soft(status === 'running' ? progress.starting : '');
  const { samples, total, samplesPerSecond, secondsLeft } = state;
  if (status !== 'running')
    return soft(status === 'succeeded' ? '' : progress.samples(whole(samples)));
  const left = secondsLeft === null ? '' : ` · ${progress.left(duration(secondsLeft))}`;
  const done = total === null ? whole(samples) : progress.of(whole(samples), whole(total));
  return html`
    <progress max=${total ?? samples + 1} value=${samples} aria-label=${progress.title}></progress>
    ${soft(`${done} · ${number(samplesPerSecond, 3)}/s${left}`)}
  `;
}

export function StatusPill({ status }) {
  return html`<span class=${`pill ${status}`}>${words().statuses[status] ?? status}</span>`;
}
