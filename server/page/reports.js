/** Links to reports: in both languages, in every format, of one evaluation or of several. */
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

/** Of one evaluation: plain links, unless an API key must go with them. */
export function reportLinks(id) {
  return rows(({ format, lang, type, name, label }) =>
    element(
      'a',
      {
        class: 'button',
        href: `/v1/evaluations/${id}/report?format=${format}&lang=${lang}`,
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
