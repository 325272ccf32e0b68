/** How much the dictionaries of the SAEs are the same, for each pair on one place. */
import { html } from 'htm/preact';
import { number } from '../format.js';
import { inLanguage, words } from '../language/words.js';
import { Scroller } from '../shell/scroller.js';

function Row({ pair, side, found }) {
  const { results, dictionaries } = words();
  const shown = (value) => (value === null ? results.none : number(value));
  const by =
    found.method === 'exact' ? dictionaries.exact : dictionaries.auction(number(found.gap));
  return html`
    <tr>
      <th scope="row">${pair.a} – ${pair.b}<span class="at">${side}</span></th>
      <td>${found.latents.join(' × ')}</td>
      <td>${shown(found.pwMcc)}</td>
      <td>${found.shared === null ? results.none : `${number(100 * found.shared)} %`}</td>
      <td>${shown(found.mmcs)}</td>
      <td>${shown(found.mmcsTurned)}</td>
      <td>${by}</td>
    </tr>
  `;
}

export function Dictionaries({ result }) {
  const pairs = result?.dictionaries;
  if (pairs === undefined) return null;
  const { dictionaries } = words();
  if (pairs.length === 0)
    return html`<section class="card">
      <h2>${dictionaries.title}</h2>
      <p>${dictionaries.none}</p>
    </section>`;
  return html`
    <section class="card">
      <h2>${dictionaries.title}</h2>
      <p class="small">${dictionaries.help}</p>
      <${Scroller} label=${dictionaries.title}>
        <table class="results">
          <thead>
            <tr>
              ${dictionaries.head.map((name) => html`<th scope="col" key=${name}>${name}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${pairs.map((pair) => [
              html`<${Row} pair=${pair} side=${dictionaries.decoders} found=${pair.decoders} />`,
              pair.activations !== null &&
                html`<${Row}
                  pair=${pair}
                  side=${dictionaries.activations}
                  found=${pair.activations}
                />`,
            ])}
          </tbody>
        </table>
      <//>
      ${pairs.flatMap(({ a, b, notes }) =>
        notes.map((note) => html`<p class="small">${a} – ${b}: ${inLanguage(note)}</p>`),
      )}
    </section>
  `;
}
