/** The runs of a comparison: their short names, and what they are. */
import { html } from 'htm/preact';
import { clock, titleOf } from '../format.js';
import { words } from '../language/words.js';
import { StatusPill } from '../list/progress.js';

export const nameOf = (_, index) => words().compare.run(index + 1);

export function Runs({ records }) {
  return html`
    <section class="card">
      <h2>${words().compare.runs}</h2>
      <ul class="plain">
        ${records.map(
          (record, index) => html`
            <li key=${record.id}>
              <strong>${nameOf(record, index)}</strong>
              ${' '}<a href=${`#/evaluations/${record.id}`}>${titleOf(record)}</a>
              ${' '}<${StatusPill} status=${record.status} />
              <span class="soft small">
                ${' '}${record.request.dataset.path} · ${clock(record.createdAt)}
              </span>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}
