/** What of the data an evaluation leaves out: skipped records by reason, and truncated text. */
import { html } from 'htm/preact';
import { whole } from '../format.js';
import { inLanguage, words } from '../language/words.js';

function Reason({ reason }) {
  const { count, first } = reason;
  const { file, unit, number, excerpt } = first;
  return html`
    <tr>
      <th scope="row">${inLanguage(reason)}</th>
      <td>${whole(count)}</td>
      <td>
        ${unit === 'file' ? file : words().losses.place(file, unit, number)}
        <div class="soft small"><code>${excerpt}</code></div>
      </td>
    </tr>
  `;
}

export function Losses({ record }) {
  const { result, progress } = record;
  const { losses } = words();
  const skipped = result?.data.skipped ?? progress?.skipped ?? [];
  const { skippedRecords = 0, records = null } = result?.data ?? {};
  const { truncatedTokens = 0 } = result?.data ?? progress ?? {};
  if (skipped.length === 0 && skippedRecords === 0 && truncatedTokens === 0) return null;
  return html`
    <section class="card">
      <h2>${losses.title}</h2>
      ${
        skippedRecords > 0 &&
        html`<p>
          ${losses.skipped(whole(skippedRecords), records === null ? null : whole(records))}
        </p>`
      }
      ${truncatedTokens > 0 && html`<p>${losses.truncated(whole(truncatedTokens))}</p>`}
      ${
        skipped.length > 0 &&
        html`
          <div class="scroll" tabindex="0" role="region" aria-label=${losses.table}>
            <table class="losses">
              <caption class="visually-hidden">
                ${losses.table}
              </caption>
              <thead>
                <tr>
                  ${losses.headings.map((text) => html`<th scope="col" key=${text}>${text}</th>`)}
                </tr>
              </thead>
              <tbody>
                ${skipped.map((one) => html`<${Reason} key=${one.reason} reason=${one} />`)}
              </tbody>
            </table>
          </div>
        `
      }
    </section>
  `;
}
