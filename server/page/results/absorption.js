/** First-letter absorption of the SAEs. */
import { html } from 'htm/preact';
import { number } from '../format.js';
import { words } from '../language/words.js';
import { Scroller } from '../shell/scroller.js';

function Share({ value }) {
  if (value === null) return html`<td class="soft">${words().results.none}</td>`;
  const { mean, ci95 } = value;
  return html`<td>
    ${number(mean)}
    ${ci95 && html`<span class="ci">${number(ci95[0], 3)} – ${number(ci95[1], 3)}</span>`}
  </td>`;
}

export function Absorption({ result }) {
  const found = result?.absorption;
  if (found === undefined) return null;
  const { absorption } = words();
  return html`
    <section class="card">
      <h2>${absorption.title}</h2>
      <p class="small">${absorption.help}</p>
      <${Scroller} label=${absorption.title}>
        <table class="results">
          <thead>
            <tr>
              ${absorption.head.map((name) => html`<th scope="col" key=${name}>${name}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${found.saes.map(
              ({ sae, fraction, full, splits, letters }) => html`
                <tr key=${sae}>
                  <th scope="row">${sae}</th>
                  <td>${letters.length}</td>
                  <${Share} value=${fraction} />
                  <${Share} value=${full} />
                  <${Share} value=${splits === null ? null : { mean: splits, ci95: null }} />
                </tr>
              `,
            )}
          </tbody>
        </table>
      <//>
      ${found.saes.map(
        ({ sae, error }) =>
          error !== null && html`<p class="small" key=${sae}>${sae}: ${error.message}</p>`,
      )}
    </section>
  `;
}
