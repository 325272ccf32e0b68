/** Links to reports of one or several evaluations, in every format and language. */
import { html } from 'htm/preact';
import { language, words } from '../language/words.js';
import { hasKey } from '../shell/key.js';
import { openDocument } from '../shell/session.js';

const formats = [
  ['html', 'HTML', 'text/html'],
  ['md', 'Markdown', 'text/plain'],
  ['csv', 'CSV', 'text/plain'],
  ['json', 'JSON', 'application/json'],
];
const languages = [
  ['en', 'English'],
  ['zh', '中文'],
];

/** The languages, the page's own first. */
const ordered = () => [...languages].sort(([name]) => (name === language() ? -1 : 1));

function Rows({ link }) {
  return html`
    <section class="card">
      <h2>${words().reports.title}</h2>
      <div class="fields">
        ${ordered().map(
          ([lang, name]) => html`
            <div key=${lang}>
              <h3 lang=${lang}>${name}</h3>
              <div class="actions">
                ${formats.map(([format, text, type]) =>
                  link({ format, lang, type, text, label: `${text}, ${name}` }),
                )}
              </div>
            </div>
          `,
        )}
      </div>
    </section>
  `;
}

/** Links to the reports of one evaluation; with an API key they open by script. */
export function ReportLinks({ id, onProblem }) {
  const open = (event, { format, lang, type }) => {
    if (!hasKey()) return;
    event.preventDefault();
    openDocument((api) => api.report(id, { format, lang }), type).catch(onProblem);
  };
  return html`<${Rows}
    link=${(report) => html`
      <a
        key=${report.format}
        class="button"
        href=${`v1/evaluations/${id}/report?format=${report.format}&lang=${report.lang}`}
        target="_blank"
        rel="noopener"
        aria-label=${words().reports.one(report.label)}
        onClick=${(event) => open(event, report)}
        >${report.text}</a
      >
    `}
  />`;
}

/** Buttons that make one report of several evaluations. */
export function ComparisonLinks({ ids, onProblem }) {
  const open = ({ format, lang, type }) =>
    openDocument((api) => api.compare(ids, { format, lang }), type).catch(onProblem);
  return html`<${Rows}
    link=${(report) => html`
      <button
        key=${report.format}
        type="button"
        aria-label=${words().reports.several(report.label)}
        onClick=${() => void open(report)}
      >
        ${report.text}
      </button>
    `}
  />`;
}
