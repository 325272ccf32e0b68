/** Differences of the other runs from the first one, sequence by sequence, with their intervals. */
import { html } from 'htm/preact';
import { useState } from 'preact/hooks';
import { number } from '../format.js';
import { words } from '../language/words.js';
import { useLoaded } from '../shell/loading.js';
import { call } from '../shell/session.js';

const signed = (value) => (value > 0 ? `+${number(value)}` : number(value).replace('-', '−'));

function Table({ differences, titleOf }) {
  const { pairs } = words().compare;
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label=${pairs.title}>
      <table>
        <caption>
          ${pairs.caption}
        </caption>
        <thead>
          <tr>
            ${pairs.columns.map((name) => html`<th scope="col" key=${name}>${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${differences.map(
            ({ metric, sae, otherSae, base, other, difference, ci95, verdict }) => html`
              <tr key=${`${metric} ${sae} ${otherSae}`}>
                <th scope="row">${titleOf(metric)}</th>
                <td>${sae === otherSae ? sae : `${sae} → ${otherSae}`}</td>
                <td class="number">${number(base)}</td>
                <td class="number">${number(other)}</td>
                <td class="number">${signed(difference)}</td>
                <td class="number">
                  ${ci95 === null ? '–' : `[${signed(ci95[0])}, ${signed(ci95[1])}]`}
                </td>
                <td>${pairs.verdicts[verdict]}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param ids the evaluations, the base first */
export function Pairs({ ids, names, metrics }) {
  const [base, setBase] = useState(ids[0]);
  const others = ids.filter((id) => id !== base);
  const { value, error } = useLoaded(
    (options) => call((api) => api.compareInPairs({ base, others }, options)),
    [base, ids.join()],
  );
  const { pairs } = words().compare;
  const nameOf = (id) => names[ids.indexOf(id)];
  const titleOf = (field) => metrics.find(({ id }) => id === `strict.${field}`)?.title ?? field;
  return html`
    <section class="card">
      <h2>${pairs.title}</h2>
      <p>
        <label>
          ${pairs.base}${' '}
          <select value=${base} onChange=${({ target }) => setBase(target.value)}>
            ${ids.map((id) => html`<option key=${id} value=${id}>${nameOf(id)}</option>`)}
          </select>
        </label>
      </p>
      ${error !== null && html`<p class="note warning" role="note">${error.message}</p>`}
      ${
        value !== null &&
        value.runs.map(
          ({ id, differences, left }) => html`
            <h3 key=${`${id} title`}>
              ${pairs.against(nameOf(id), nameOf(base), value.sequences)}
            </h3>
            <${Table} key=${id} differences=${differences} titleOf=${titleOf} />
            ${left.map(
              ({ sae, reason }) => html`<p class="small" key=${sae}>${pairs.left(sae, reason)}</p>`,
            )}
          `,
        )
      }
    </section>
  `;
}
