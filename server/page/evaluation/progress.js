/** Progress of a run, or what it took. */
import { html } from 'htm/preact';
import { ago, duration, number, whole } from '../format.js';
import { inLanguage, words } from '../language/words.js';
import { hasEnded } from '../src/schema/status.js';

/** Names and values in columns. */
export function Facts({ pairs }) {
  return html`
    <dl class="numbers">
      ${pairs.map(
        ([name, value]) => html`
          <div key=${name}>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>
        `,
      )}
    </dl>
  `;
}

function pairsOf({ status, progress: state, position, result, device }) {
  const { facts, progress } = words();
  if (result !== null)
    return [
      [facts.samples, whole(result.data.samples)],
      ...(result.data.spliceSamples === undefined
        ? []
        : [[facts.spliceSamples, whole(result.data.spliceSamples)]]),
      [facts.realTokens, whole(result.data.realTokens)],
      [facts.computeTime, duration(result.timing.seconds)],
      [facts.tokensPerSecond, whole(result.timing.tokensPerSecond)],
      [facts.deviceName, result.config.deviceName],
    ];
  if (state !== null)
    return [
      [
        facts.samples,
        state.total === null
          ? whole(state.samples)
          : progress.of(whole(state.samples), whole(state.total)),
      ],
      [facts.rate, `${number(state.samplesPerSecond, 3)}/s`],
      [facts.timeLeft, status === 'running' ? duration(state.secondsLeft) : '–'],
      [facts.batches, whole(state.batches)],
    ];
  return [
    [facts.place, position === null ? '–' : whole(position)],
    [facts.device, device],
  ];
}

export function Progress({ record }) {
  const { status, progress: state, waitingFor, result, createdAt } = record;
  const { facts, progress, evaluation } = words();
  const isStopped = status === 'cancelled' && result !== null;
  return html`
    <section class="card">
      <h2>${hasEnded(status) ? evaluation.run : progress.title}</h2>
      ${
        status === 'running' &&
        html`<p>
          <progress
            aria-label=${progress.title}
            ...${state?.total ? { max: state.total, value: state.samples } : {}}
          ></progress>
        </p>`
      }
      ${waitingFor ? html`<p>${inLanguage(waitingFor)}</p>` : null}
      ${
        isStopped &&
        html`<p class="note">
          ${evaluation.stopped(whole(result.data.samples), whole(state?.total ?? null))}
        </p>`
      }
      <${Facts} pairs=${[...pairsOf(record), [facts.submitted, ago(createdAt)]]} />
    </section>
  `;
}
