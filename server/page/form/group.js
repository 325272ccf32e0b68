/** A card of the form: its usual fields, and the others folded up. */
import { html } from 'htm/preact';
import { useRef } from 'preact/hooks';
import { words } from '../language/words.js';
import { Field } from './field.js';
import { isEmpty } from './values.js';

export function Group({ name, fields, texts, problems, suggestions, onChange }) {
  const { form } = words();
  const control = (field) => {
    const { path } = field;
    const [label, hint] = form.fields[path] ?? [path];
    return html`<${Field}
      key=${path}
      ...${{ field, label, hint }}
      value=${texts[path]}
      choices=${suggestions[field.suggest]}
      problems=${problems.get(path) ?? []}
      onChange=${(text) => onChange(path, text)}
    />`;
  };
  const [usual, more] = [false, true].map((isMore) =>
    fields.filter((field) => (field.more ?? false) === isMore),
  );
  // Once open, it does not close under the hands of the one who empties a field.
  const isOpen = useRef(false);
  isOpen.current ||= more.some(({ path }) => !isEmpty(texts[path]) || problems.has(path));
  return html`
    <section class="card">
      <h2>${form.groups[name]}</h2>
      <div class="fields">${usual.map(control)}</div>
      ${
        more.length > 0 &&
        html`<details class="more" open=${isOpen.current}>
          <summary>${form.more(more.length)}</summary>
          <div class="fields">${more.map(control)}</div>
        </details>`
      }
    </section>
  `;
}
