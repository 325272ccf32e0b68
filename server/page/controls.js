/** Controls of a form, each under the path of its field in the request. */
import { element } from './elements.js';

/** Fields whose values are long. */
const wideFields = /^model$|^dataset\.path$|checkpoint$/;

/** A labelled control; a `required` control says so in its label. */
export function field(path, label, control, hint) {
  const id = `field-${path.replaceAll(/\W+/g, '-')}`;
  control.id = id;
  control.dataset.path = path;
  if (hint) control.setAttribute('aria-describedby', `${id}-hint`);
  const mark = control.required ? element('span', { class: 'soft' }, ' (required)') : null;
  return element(
    'div',
    { class: wideFields.test(path) ? 'field span' : 'field' },
    element('label', { for: id }, label, mark),
    control,
    hint ? element('p', { class: 'hint', id: `${id}-hint` }, hint) : null,
  );
}

/** @param choices values, or `{ value, text }` */
export function select(choices, { chosen, ...properties } = {}) {
  const options = choices.map((choice) => {
    const { value, text = value } = typeof choice === 'string' ? { value: choice } : choice;
    return element('option', { value, selected: value === chosen }, text);
  });
  return element('select', properties, ...options);
}

export function wholeNumber(value, properties = {}) {
  const base = { type: 'number', inputmode: 'numeric', min: 1, step: 1 };
  return element('input', { ...base, value: String(value), ...properties });
}

/** Checkboxes, all checked. @returns their node, and what reads the checked names */
export function checkList(names) {
  const boxes = names.map((value) => element('input', { type: 'checkbox', value, checked: true }));
  const labels = boxes.map((box) => element('label', { class: 'check' }, box, box.value));
  return {
    node: element('div', { class: 'checks' }, ...labels),
    checked: () => boxes.filter((box) => box.checked).map((box) => box.value),
  };
}

/** Numbers of a text such as `8, 16, 32`. */
export function numbersIn(text) {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
    .map(Number);
}

/** One number as such, several as a list: the request's fields take both. */
export function oneOrMany(numbers) {
  return numbers.length === 1 ? numbers[0] : numbers;
}
