/**
 * A report as one HTML file: it makes no request, can be read without its script, has a light and a
 * dark theme, and prints.
 */
import { chartSvg } from './chart-svg.js';
import { colorsOf } from './charts/colors.js';
import type { Block, Cell, Document, Table } from './document.js';
import { htmlPolicy } from './html-policy.js';
import { htmlScript } from './html-script.js';
import { htmlStyle } from './html-style.js';
import type { Words } from './language/words.js';
import { shown } from '../shown-text.js';

export interface HtmlInput {
  document: Document;
  words: Words;
}

export interface HtmlOptions {
  /** Whether the reader's browser chooses the language that is shown first; default false. */
  languageOfReader?: boolean;
}

const escape = (text: string): string =>
  shown(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** A value with its interval below, so that columns stay narrow. */
function withInterval(text: string): string {
  const found = /^(\S+) (\[[^\]]*\])$/.exec(text);
  return found === null ? escape(text) : `${escape(found[1]!)}<small>${escape(found[2]!)}</small>`;
}

function headCell(text: string, meaning: string | null | undefined): string {
  const title = meaning ? ` title="${escape(meaning)}"` : '';
  return `<th scope="col"${title}>${escape(text)}</th>`;
}

function bodyCell({ text, best = false, sort }: Cell): string {
  const attributes =
    (best ? ' class="best"' : '') + (sort === undefined ? '' : ` data-sort="${sort}"`);
  return `<td${attributes}>${withInterval(text)}</td>`;
}

function table({ caption, head, meanings, rows, numeric, notes = [] }: Table): string {
  const titles = head.every((text) => text === '')
    ? ''
    : `<thead><tr>${head.map((text, i) => headCell(text, meanings?.[i])).join('')}</tr></thead>`;
  const body = rows.map(
    ([first, ...rest]) =>
      `<tr><th scope="row"${first?.sort === undefined ? '' : ` data-sort="${first.sort}"`}>` +
      `${escape(first?.text ?? '')}</th>${rest.map(bodyCell).join('')}</tr>`,
  );
  return (
    `<div class="scroll" tabindex="0" role="region" aria-label="${escape(caption)}">` +
    `<table${numeric ? ' class="numbers"' : ''}><caption>${escape(caption)}</caption>${titles}` +
    `<tbody>${body.join('')}</tbody></table></div>` +
    notes.map((note) => `<p class="note">${escape(note)}</p>`).join('')
  );
}

/** Rows of a chart's numbers above which they are not printed: the result has them. */
const mostPrinted = 400;

function figure(
  { chart, table: numbers }: Extract<Block, { kind: 'chart' }>,
  words: Words,
): string {
  const { legend } = colorsOf(chart);
  const entries = legend.map(
    ({ name, color }) =>
      `<li><svg viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" ` +
      `r="5" fill="${color}"/></svg>${escape(name)}</li>`,
  );
  return (
    `<figure${numbers.rows.length > mostPrinted ? ' class="long"' : ''}>` +
    `<figcaption>${escape(chart.title)}</figcaption>${chartSvg(chart)}` +
    (entries.length === 0 ? '' : `<ul class="legend">${entries.join('')}</ul>`) +
    `<details><summary>${escape(words.charts.table)}</summary>${table(numbers)}</details></figure>`
  );
}

function block(one: Block, anchorOf: (anchor: string) => string, words: Words): string {
  switch (one.kind) {
    case 'heading':
      return one.anchor === undefined
        ? `<h${one.level}>${escape(one.text)}</h${one.level}>`
        : `<h${one.level} id="${anchorOf(one.anchor)}">` +
            `<a href="#${anchorOf(one.anchor)}">${escape(one.text)}</a></h${one.level}>`;
    case 'paragraph':
      return `<p${one.role === undefined ? '' : ` class="${one.role}"`}>${escape(one.text)}</p>`;
    case 'list':
      return `<ul>${one.items.map((item) => `<li>${escape(item)}</li>`).join('')}</ul>`;
    case 'finding':
      return (
        `<div class="finding ${one.severity}"><p><strong>${escape(one.label)}</strong> ` +
        `${escape(one.text)}</p>` +
        (one.details.length === 0
          ? ''
          : `<details><summary>${escape(words.oneByOne)}</summary><ul>` +
            `${one.details.map((text) => `<li>${escape(text)}</li>`).join('')}</ul></details>`) +
        '</div>'
      );
    case 'table':
      return table(one.table);
    case 'chart':
      return figure(one, words);
    case 'code':
      return `<pre><code>${escape(one.text)}</code></pre>`;
  }
}

const codes = { en: 'en', zh: 'zh-CN' } as const;

/** One language: the buttons, the contents, the report. */
function part(
  { document: { lang, title, blocks }, words }: HtmlInput,
  others: readonly HtmlInput[],
): string {
  const anchorOf = (anchor: string): string => (lang === 'en' ? anchor : `${lang}-${anchor}`);
  const links = blocks.flatMap((one) =>
    one.kind === 'heading' && one.anchor !== undefined
      ? [`<li><a href="#${anchorOf(one.anchor)}">${escape(one.text)}</a></li>`]
      : [],
  );
  const languages = others.map(
    ({ document, words: { ownName } }) =>
      `<button type="button" data-lang="${codes[document.lang]}">${escape(ownName)}</button>`,
  );
  // Charts stand side by side if there is room.
  const printed = blocks
    .map((one) => ({ one, text: block(one, anchorOf, words) }))
    .reduce(
      (page, { one, text }, index) =>
        page +
        (one.kind === 'chart' && blocks[index - 1]?.kind !== 'chart'
          ? '<div class="charts">'
          : '') +
        text +
        (one.kind === 'chart' && blocks[index + 1]?.kind !== 'chart' ? '</div>' : '') +
        '\n',
      '',
    );
  const code = codes[lang];
  const theme = `<button type="button" data-theme>${escape(words.theme)}</button>`;
  const contents = escape(words.contents);
  return `<div class="report" lang="${code}" data-lang="${code}" data-title="${escape(title)}">
<nav aria-label="${contents}">
<div class="buttons">${languages.join('')}${theme}</div>
<details class="contents" open><summary>${contents}</summary><ol>${links.join('')}</ol></details>
</nav>
<main>
${printed}</main>
</div>`;
}

/** One page with the report in all given languages, of which it shows the first. */
export function renderHtml(
  inputs: readonly HtmlInput[],
  { languageOfReader = false }: HtmlOptions = {},
): string {
  const [first] = inputs;
  if (first === undefined) return '';
  const code = codes[first.document.lang];
  const parts = inputs.map((one) =>
    part(
      one,
      inputs.filter((other) => other !== one),
    ),
  );
  return `<!doctype html>
<html lang="${code}" data-lang="${code}"${languageOfReader ? ' data-language-of-reader' : ''}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${htmlPolicy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(first.document.title)}</title>
<link rel="icon" href="data:,">
<style>${htmlStyle}</style>
</head>
<body>
${parts.join('\n')}
<div id="tip" role="status" hidden></div>
<script>${htmlScript}</script>
</body>
</html>
`;
}
