/** A labelled control under the path of its field in the request. */
import { html } from 'htm/preact';
import { words } from '../language/words.js';

/** Fields whose values are long. */
const spans = new Set([
  'model',
  'dataset.path',
  'checkpoint',
  'checkpoints',
  'hook',
  'hookOut',
  'name',
  'tags',
]);

function Select({ field, value, choices, required, attributes }) {
  const { form } = words();
  const options = choices ?? field.options ?? ['true', 'false'];
  const empty = field.initial ? form.defaultIs(field.initial) : form.notGiven;
  return html`
    <select ...${attributes} value=${value}>
      <option value="">${required ? form.choose : empty}</option>
      ${options.map((option) => {
        const name = typeof option === 'string' ? option : option.value;
        const text = field.type === 'bool' ? form.bools[name] : (option.text ?? name);
        return html`<option value=${name} key=${name}>${text}</option>`;
      })}
    </select>
  `;
}

function CheckList({ id, field, value, choices, onChange }) {
  const names = (choices ?? field.options).map((one) =>
    typeof one === 'string' ? one : one.value,
  );
  // Nothing given means all of them.
  const checked = value === undefined || value.length === 0 ? names : value;
  const toggle = (name) => {
    const next = checked.includes(name)
      ? checked.filter((one) => one !== name)
      : names.filter((one) => one === name || checked.includes(one));
    onChange(next.length === names.length ? [] : next);
  };
  const texts = new Map((choices ?? []).map((one) => [one.value, one.text]));
  return html`
    <div class="checks" id=${id} data-path=${field.path}>
      ${names.map(
        (name) => html`
          <label class="check" key=${name}>
            <input
              type="checkbox"
              value=${name}
              checked=${checked.includes(name)}
              disabled=${checked.length === 1 && checked[0] === name}
              onChange=${() => toggle(name)}
            />
            ${texts.get(name) ?? name}
          </label>
        `,
      )}
    </div>
  `;
}

/**
 * @param field of form/fields.js
 * @param path of the field in the request
 * @param value text of the control
 * @param choices for selects and suggestions: texts, or `{ value, text }`
 * @param mark where the value comes from: `file`, `asked`, `changed` or nothing
 * @param problems texts that are shown at the field
 */
export function Field({
  field,
  path = field.path,
  value,
  choices,
  label,
  hint,
  mark,
  placeholder,
  problems = [],
  required = field.required === true,
  onChange,
}) {
  const { form } = words();
  const id = `field-${path.replaceAll(/\W+/g, '-')}`;
  const isInvalid = problems.length > 0;
  const described = [hint && `${id}-hint`, isInvalid && `${id}-problem`].filter(Boolean).join(' ');
  const attributes = {
    id,
    'data-path': path,
    required,
    'aria-invalid': isInvalid ? 'true' : undefined,
    'aria-describedby': described || undefined,
    onInput: ({ target }) => onChange(target.value),
  };
  const isGroup = field.type === 'choices';
  const isSelect =
    field.type === 'bool' ||
    (field.type === 'choice' && (choices !== undefined || field.options !== undefined));
  const listId = choices === undefined || isSelect || isGroup ? undefined : `${id}-list`;
  const isNumber = field.type === 'whole' || field.type === 'real';
  const isLong = ['long', 'pairs', 'probes'].includes(field.type);
  const control = isGroup
    ? html`<${CheckList} id=${id} ...${{ field, value, choices, onChange }} />`
    : isSelect
      ? html`<${Select} ...${{ field, choices, required, attributes }} value=${value ?? ''} />`
      : isLong
        ? html`<textarea
            ...${attributes}
            rows="3"
            value=${value ?? ''}
            placeholder=${placeholder ?? form.placeholders[field.path] ?? ''}
          ></textarea>`
        : html`<input
            ...${attributes}
            type="text"
            inputmode=${isNumber ? 'decimal' : undefined}
            autocomplete="off"
            spellcheck=${false}
            list=${listId}
            value=${value ?? ''}
            placeholder=${placeholder ?? field.initial ?? form.placeholders[field.path] ?? ''}
          />`;
  const text = html`${label} ${required && html`<span class="soft"> ${form.required}</span>`}
  ${mark && html`<span class=${`mark ${mark}`}>${form.marks[mark]}</span>`}`;
  const wide = isGroup || isLong;
  const kind = wide ? 'field wide' : spans.has(field.path) ? 'field span' : 'field';
  const notes = html`
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${isInvalid && html`<p class="field-problem" id=${`${id}-problem`}>${problems.join(' ')}</p>`}
  `;
  if (isGroup)
    return html`<fieldset class=${kind}>
      <legend>${text}</legend>
      ${control} ${notes}
    </fieldset>`;
  return html`
    <div class=${kind}>
      <label for=${id}>${text}</label>
      ${control}
      ${
        listId &&
        html`<datalist id=${listId}>
          ${choices.map((one) =>
            typeof one === 'string'
              ? html`<option value=${one} key=${one}></option>`
              : html`<option value=${one.value} key=${one.value}>${one.text}</option>`,
          )}
        </datalist>`
      }
      ${notes}
    </div>
  `;
}
