/** Links to reports of one or several evaluations, in every format and language. */
import { element } from './elements.js';
import { hasKey, openDocument } from './session.js';

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

function rows(link) {
  return element(
    'div',
    { class: 'fields' },
    ...languages.map(([lang, language]) =>
      element(
        'div',
        {},
        element('h3', { lang }, language),
        element(
          'div',
          { class: 'actions' },
          ...formats.map(([format, name, type]) =>
            link({ format, lang, type, name, label: `${name}, ${language}` }),
          ),
        ),
      ),
    ),
  );
}

/** Links to the reports of one evaluation; with an API key they open by script. */
export function reportLinks(id) {
  return rows(({ format, lang, type, name, label }) =>
    element(
      'a',
      {
        class: 'button',
        href: `v1/evaluations/${id}/report?format=${format}&lang=${lang}`,
        target: '_blank',
        rel: 'noopener',
        'aria-label': `Report as ${label}`,
        onclick: (event) => {
          if (!hasKey()) return;
          event.preventDefault();
          void openDocument((api) => api.report(id, { format, lang }), type);
        },
      },
      name,
    ),
  );
}

export function comparisonLinks(ids, onProblem) {
  return rows(({ format, lang, type, name, label }) =>
    element(
      'button',
      {
        type: 'button',
        'aria-label': `Comparison as ${label}`,
        onclick: () =>
          void openDocument((api) => api.compare(ids, { format, lang }), type).catch(onProblem),
      },
      name,
    ),
  );
}
