/** The summary of a result and its findings, one group for each rule, most serious first. */
import { html } from 'htm/preact';
import { inLanguage, words } from '../language/words.js';

const severities = ['error', 'warning', 'info'];
/** Groups with more findings than this are folded up. */
const mostOpen = 3;

function groupsOf(findings) {
  const groups = new Map();
  for (const finding of findings) {
    const key = `${finding.severity} ${finding.code}`;
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  return [...groups.values()].sort(
    ([a], [b]) => severities.indexOf(a.severity) - severities.indexOf(b.severity),
  );
}

function Group({ findings }) {
  const { evaluation, severityNames } = words();
  const [{ severity, code }] = findings;
  const lines = findings.map(({ message }) => inLanguage(message));
  const saes = [...new Set(findings.map(({ sae }) => sae).filter((sae) => sae !== null))];
  const list = html`<ul>
    ${lines.map((line, index) => html`<li key=${index}>${line}</li>`)}
  </ul>`;
  return html`
    <div class=${`finding ${severity}`}>
      <strong>${severityNames[severity]}</strong>
      ${
        lines.length === 1
          ? html` ${lines[0]}`
          : lines.length <= mostOpen
            ? list
            : html`<details>
                <summary>${evaluation.findingGroup(code, lines.length, saes)}</summary>
                ${list}
              </details>`
      }
    </div>
  `;
}

const Groups = ({ groups }) =>
  groups.map((findings) => html`<${Group} key=${findings[0].code} findings=${findings} />`);

export function Summary({ result }) {
  if (result === null) return null;
  const { evaluation } = words();
  const statements = result.summary?.statements ?? [];
  const groups = groupsOf(result.findings);
  const notes = groups.filter(([{ severity }]) => severity === 'info');
  if (statements.length === 0 && groups.length === 0) return null;
  return html`
    <section class="card">
      ${
        statements.length > 0 &&
        html`
          <h2>${evaluation.summary}</h2>
          <ul class="statements">
            ${statements.map(({ message }, i) => html`<li key=${i}>${inLanguage(message)}</li>`)}
          </ul>
        `
      }
      ${
        groups.length > 0 &&
        html`
          <h2>${evaluation.findings}</h2>
          <${Groups} groups=${groups.filter(([{ severity }]) => severity !== 'info')} />
          ${
            notes.length > 0 &&
            html`<details>
              <summary>${evaluation.notes(notes.length)}</summary>
              <${Groups} groups=${notes} />
            </details>`
          }
        `
      }
    </section>
  `;
}
