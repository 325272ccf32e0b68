/** Problems of a form: each at its field, the others in a box that is read out. */
import { element, replace } from './elements.js';

export function problemBox(form) {
  const node = element('div', { class: 'problem', role: 'alert', tabindex: '-1', hidden: true });

  /** Marks the field of a problem; false if the form has no such field. */
  function mark({ path, message }) {
    const control = form.querySelector(`[data-path="${CSS.escape(path)}"]`);
    if (control === null) return false;
    control.setAttribute('aria-invalid', 'true');
    control.closest('.field').append(element('p', { class: 'field-problem' }, message));
    return true;
  }

  return {
    node,
    clear() {
      node.hidden = true;
      for (const control of form.querySelectorAll('[aria-invalid]'))
        control.removeAttribute('aria-invalid');
      for (const note of form.querySelectorAll('.field-problem')) note.remove();
    },
    show({ message, fields = [] }) {
      const elsewhere = fields.filter((problem) => !mark(problem));
      const items = elsewhere.map(({ path, message: text }) =>
        element('li', {}, `${path}: ${text}`),
      );
      node.hidden = false;
      replace(
        node,
        element('strong', {}, fields.length > 0 ? 'Please check the marked fields.' : message),
        items.length > 0 ? element('ul', {}, ...items) : null,
      );
      (form.querySelector('[aria-invalid]') ?? node).focus();
    },
  };
}
