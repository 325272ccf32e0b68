/** The numbers that the list shows, chosen by the user and remembered. */
import { html } from 'htm/preact';
import { words } from '../language/words.js';
import { titleWithArrow } from '../metrics.js';

const storage = 'sae-eval columns';
const usual = ['strict.KLDivPerToken', 'strict.Recovered', 'strict.L0'];

export function rememberedColumns() {
  try {
    const stored = JSON.parse(localStorage.getItem(storage));
    return Array.isArray(stored) ? stored : usual;
  } catch {
    return usual;
  }
}

export function rememberColumns(ids) {
  try {
    localStorage.setItem(storage, JSON.stringify(ids));
  } catch {
    // They last as long as the page then.
  }
}

/** Every column that can be chosen: facts of the run, and metrics of its SAEs. */
export function columnsOf(metrics) {
  const { list, protocols } = words();
  return [
    { id: 'model', group: 'run', title: list.headings.model, heading: list.headings.model },
    { id: 'seconds', group: 'run', title: list.headings.seconds, heading: list.headings.seconds },
    ...['strict', 'reference'].flatMap((protocol) =>
      metrics
        .filter((metric) => metric.protocol === protocol)
        .map((metric) => ({
          id: metric.id,
          group: protocol,
          title: metric.title,
          heading: titleWithArrow(metric),
          soft: protocols[protocol],
          better: metric.better,
        })),
    ),
  ];
}

/** Checkboxes, one for each column. */
export function ColumnChoice({ columns, chosen, onChange }) {
  const { list, protocols } = words();
  const toggle = (id) =>
    onChange(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]);
  return html`
    <details class="columns">
      <summary>${list.columns}</summary>
      ${['run', 'strict', 'reference'].map(
        (group) => html`
          <fieldset key=${group}>
            <legend>${protocols[group] ?? list.run}</legend>
            <div class="checks">
              ${columns
                .filter((column) => column.group === group)
                .map(
                  ({ id, title }) => html`
                    <label class="check" key=${id}>
                      <input
                        type="checkbox"
                        checked=${chosen.includes(id)}
                        onChange=${() => toggle(id)}
                      />
                      ${title}
                    </label>
                  `,
                )}
            </div>
          </fieldset>
        `,
      )}
    </details>
  `;
}
