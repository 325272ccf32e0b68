/** Numbers of SAELens and SAEBench: for each SAE a row for each number, a column for a version. */
import { html } from 'htm/preact';
import { allPeerFields } from '../src/metrics/peers/fields.js';
import { number } from '../format.js';
import { inLanguage, words } from '../language/words.js';
import { Scroller } from '../shell/scroller.js';

/** The protocols of other tools that some SAE has numbers under, as results name them. */
function protocolsOf(entries) {
  const names = entries.flatMap(({ sae }) => Object.keys(sae));
  return [...new Set(names)].filter((name) => name.includes('@'));
}

const arrows = { lower: ' ↓', higher: ' ↑', neither: '' };

function SaeTable({ sae, name, protocols }) {
  const { results } = words();
  const noteOn = (metric) => inLanguage(sae.notes?.find((note) => note.metric === metric));
  const fields = allPeerFields.filter(({ field }) =>
    protocols.some((protocol) => typeof sae[protocol]?.[field] === 'number'),
  );
  return html`
    <${Scroller} label=${name}>
      <table class="results">
        <caption>
          <span>${name}</span>
        </caption>
        <thead>
          <tr>
            <th scope="col">${results.number}</th>
            ${protocols.map(
              (protocol) =>
                html`<th scope="col" key=${protocol} title=${noteOn(protocol)}>${protocol}</th>`,
            )}
          </tr>
        </thead>
        <tbody>
          ${fields.map(
            ({ field, meaning, better }) => html`
              <tr key=${field}>
                <th scope="row" title=${inLanguage(meaning)}>${field}${arrows[better]}</th>
                ${protocols.map((protocol) => {
                  const value = sae[protocol]?.[field];
                  return typeof value === 'number'
                    ? html`<td key=${protocol} title=${noteOn(`${protocol}.${field}`)}>
                        ${number(value)}
                      </td>`
                    : html`<td key=${protocol} class="soft">${results.none}</td>`;
                })}
              </tr>
            `,
          )}
        </tbody>
      </table>
    <//>
  `;
}

export function PeerTables({ entries }) {
  const { results } = words();
  const protocols = protocolsOf(entries);
  const own = entries.filter(({ sae }) => protocols.some((protocol) => sae[protocol]));
  if (own.length === 0) return null;
  return html`
    <section class="card">
      <h2>${results.peers}</h2>
      <p class="soft small">${results.peersLine}</p>
      ${own.map(
        ({ key, sae, name }) => html`<${SaeTable} key=${key} ...${{ sae, name, protocols }} />`,
      )}
    </section>
  `;
}
