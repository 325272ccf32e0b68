/** Findings of probes on labelled data sets: how well k latents tell a label. */
import { html } from 'htm/preact';
import { number } from '../format.js';
import { words } from '../language/words.js';
import { Scroller } from '../shell/scroller.js';

function Accuracy({ value }) {
  if (value === undefined) return html`<td class="soft">${words().results.none}</td>`;
  const { mean, ci95 } = value;
  return html`<td>
    ${number(mean)}
    ${ci95 && html`<span class="ci">${number(ci95[0], 3)} – ${number(ci95[1], 3)}</span>`}
  </td>`;
}

const Row = ({ name, at, sizes, side }) => html`
  <tr>
    <th scope="row">${name}<span class="at">${at}</span></th>
    ${sizes.map(
      (k) => html`<${Accuracy} key=${k} value=${side.top.find((one) => one.k === k)?.accuracy} />`,
    )}
    <${Accuracy} value=${side.all} />
  </tr>
`;

/** Scores by the number of latents at zero: `of` takes what was found from an SAE's results. */
function Scores({ name, title, help, saes, of }) {
  const { probes, results } = words();
  const found = saes.filter((sae) => of(sae) !== null);
  if (found.length === 0) return null;
  const sizes = of(found[0]).top.map(({ latents }) => latents);
  return html`
    <${Scroller} label=${`${name}: ${title}`}>
      <table class="results">
        <caption>
          <span>${name}: ${title}</span>
        </caption>
        <thead>
          <tr>
            <th scope="col">${results.sae}</th>
            ${sizes.map((size) => html`<th scope="col" key=${size}>${probes.zeroed(size)}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${found.map(
            (sae) => html`
              <tr key=${sae.sae}>
                <th scope="row">${sae.sae}</th>
                ${sizes.map(
                  (size) => html`
                    <${Accuracy}
                      key=${size}
                      value=${of(sae).top.find(({ latents }) => latents === size)?.score}
                    />
                  `,
                )}
              </tr>
            `,
          )}
        </tbody>
      </table>
    <//>
    <p class="small">${help}</p>
  `;
}

function Dataset({ one }) {
  const { probes, results } = words();
  const found = one.saes.filter(({ sparseProbing }) => sparseProbing !== null);
  const sizes = [
    ...new Set(found.flatMap(({ sparseProbing }) => sparseProbing.latents.top.map(({ k }) => k))),
  ];
  const labels = one.labels.map(({ label, documents }) => `${label} ${documents}`).join(', ');
  return html`
    <${Scroller} label=${one.name}>
      <table class="results" hidden=${found.length === 0}>
        <caption>
          <span>${one.name}</span>
        </caption>
        <thead>
          <tr>
            <th scope="col">${results.sae}</th>
            ${sizes.map((k) => html`<th scope="col" key=${k}>${probes.size(k)}</th>`)}
            <th scope="col">${probes.all}</th>
          </tr>
        </thead>
        <tbody>
          ${found.map(({ sae, sparseProbing: { latents, activations } }) => [
            html`<${Row} name=${sae} at=${probes.latents} sizes=${sizes} side=${latents} />`,
            html`<${Row}
              name=${sae}
              at=${probes.activations}
              sizes=${sizes}
              side=${activations}
            />`,
          ])}
        </tbody>
      </table>
    <//>
    <p class="small">${probes.documents(labels)}</p>
    <${Scores}
      name=${one.name}
      title=${probes.perturbation}
      help=${probes.perturbationHelp}
      saes=${one.saes}
      of=${({ targetedPerturbation }) => targetedPerturbation}
    />
    <${Scores}
      name=${one.name}
      title=${probes.removal}
      help=${probes.removalHelp}
      saes=${one.saes}
      of=${({ spuriousRemoval }) => spuriousRemoval}
    />
    ${one.saes.map(
      ({ sae, error }) =>
        error !== null && html`<p class="small" key=${sae}>${sae}: ${error.message}</p>`,
    )}
  `;
}

export function Probes({ result }) {
  if (result?.probes === undefined) return null;
  const { probes } = words();
  return html`
    <section class="card">
      <h2>${probes.title}</h2>
      <p class="small">${probes.help}</p>
      ${result.probes.map((one) => html`<${Dataset} one=${one} key=${one.name} />`)}
    </section>
  `;
}
