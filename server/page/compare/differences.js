/** Says what the runs do not have in common, so that their numbers cannot be ranked. */
import { html } from 'htm/preact';
import { words } from '../language/words.js';

/** The value of a setting as a request or a result has it. */
const values = {
  model: ({ config }) => config.model,
  data: ({ config: { dataset } }) => dataset.path,
  samples: ({ data }) => String(data.samples),
  spliceSamples: ({ data }) => String(data.spliceSamples ?? data.samples),
  seqLen: ({ config }) => String(config.dataset.seqLen),
  dtype: ({ config }) => `${config.dtype}, ${config.saeDtype}`,
  batchSize: ({ config }) => String(config.batchSize),
};

export function Differences({ records, names, differ }) {
  const fields = [...new Set([...differ.strict, ...differ.reference])];
  const { compare } = words();
  if (fields.length === 0) return html`<p class="note good">${compare.same}</p>`;
  const shown = records
    .map((record, index) => ({ ...record, name: names[index] }))
    .filter(({ result }) => result !== null);
  return html`
    <div class="note warning" role="note">
      <p>
        <strong>${differ.strict.length > 0 ? compare.notComparable : compare.referenceOnly}</strong>
      </p>
      <div class="scroll" tabindex="0" role="region" aria-label=${compare.differences}>
        <table>
          <caption class="visually-hidden">
            ${compare.differences}
          </caption>
          <thead>
            <tr>
              <th scope="col">${compare.setting}</th>
              ${shown.map(({ id, name }) => html`<th scope="col" key=${id}>${name}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${fields.map(
              (field) => html`
                <tr key=${field}>
                  <th scope="row">${compare.fields[field] ?? field}</th>
                  ${shown.map(
                    ({ id, result }) => html`<td key=${id}>${values[field]?.(result) ?? ''}</td>`,
                  )}
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    </div>
  `;
}
