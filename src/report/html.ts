/**
 * A report as one HTML file: it makes no request, can be read without its script, has a light and a
 * dark theme, and prints.
 */
import { chartSvg } from './chart-svg.js';
import type { Block, Document, Table } from './document.js';
import { htmlScript } from './html-script.js';
import { htmlStyle } from './html-style.js';
import type { Words } from './language/words.js';

export interface HtmlInput {
  document: Document;
  words: Words;
  /** Name of the language in itself, for the toggle. */
  name: string;
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** A value with its interval below, so that columns stay narrow. */
function withInterval(text: string): string {
  const found = /^(\S+) (\[[^\]]*\])$/.exec(text);
  return found === null ? escape(text) : `${escape(found[1]!)}<small>${escape(found[2]!)}</small>`;
}

function table({ caption, head, rows, numeric }: Table): string {
  const titles = head.every((text) => text === '')
    ? ''
    : '<thead><tr>' +
      head.map((text) => `<th scope="col">${escape(text)}</th>`).join('') +
      '</tr></thead>';
  const body = rows.map(
    ([first, ...rest]) =>
      `<tr><th scope="row">${escape(first?.text ?? '')}</th>` +
      rest
        .map(
          ({ text, best = false }) =>
            `<td${best ? ' class="best"' : ''}>${withInterval(text)}</td>`,
        )
        .join('') +
      '</tr>',
  );
  return (
    `<div class="scroll" tabindex="0"><table${numeric ? ' class="numbers"' : ''}>` +
    `<caption>${escape(caption)}</caption>${titles}<tbody>${body.join('')}</tbody></table></div>`
  );
}

function block(one: Block, id: string, words: Words): string {
  switch (one.kind) {
    case 'heading':
      return `<h${one.level}>${escape(one.text)}</h${one.level}>`;
    case 'paragraph':
      return `<p>${escape(one.text)}</p>`;
    case 'list':
      return `<ul>${one.items.map((item) => `<li>${escape(item)}</li>`).join('')}</ul>`;
    case 'finding':
      return (
        `<p class="finding ${one.severity}"><strong>${escape(one.label)}</strong> ` +
        `${escape(one.text)}</p>`
      );
    case 'table':
      return table(one.table);
    case 'chart':
      return (
        `<figure>${chartSvg(one.chart)}<figcaption>${escape(one.chart.title)}</figcaption>` +
        `<details><summary>${escape(words.charts.table)}</summary>${table(one.table)}</details>` +
        '</figure>'
      );
    case 'code':
      return `<pre><code>${escape(one.text)}</code></pre>`;
  }
}

/** One page with the report in all given languages, of which it shows the first. */
export function renderHtml(documents: readonly HtmlInput[]): string {
  const [first] = documents;
  if (first === undefined) return '';
  const code = (lang: 'en' | 'zh'): string => (lang === 'zh' ? 'zh-CN' : 'en');
  const bodies = documents.map(
    ({ document: { lang, blocks } }) =>
      `<main lang="${code(lang)}" ` +
      `data-lang="${code(lang)}">\n` +
      blocks.map((one, index) => block(one, `${lang}${index}`, first.words)).join('\n') +
      `\n</main>`,
  );
  const buttons =
    documents.length < 2
      ? ''
      : documents
          .map(
            ({ document: { lang }, name }) =>
              `<button type="button" data-lang="${code(lang)}">${escape(name)}</button>`,
          )
          .join('');
  return `<!doctype html>
<html lang="${code(first.document.lang)}" data-lang="${code(first.document.lang)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(first.document.title)}</title>
<link rel="icon" href="data:,">
<style>${htmlStyle}</style>
</head>
<body>
<nav>${buttons}<button type="button" data-theme>${escape(first.words.theme)}</button></nav>
${bodies.join('\n')}
<script>${htmlScript}</script>
</body>
</html>
`;
}
