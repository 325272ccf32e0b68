/**
 * A report as one HTML file that needs nothing else: no request, readable without its script; light
 * and dark; prints.
 */
import { chartSvg } from './chart-svg.js';
import type { Block, Document, Table } from './document.js';
import { htmlScript } from './html-script.js';
import type { Dictionary } from './language/dictionary.js';

export interface HtmlInput {
  document: Document;
  words: Dictionary;
  /** The language's own name, for the toggle. */
  name: string;
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const style = `
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #d9d9e0; --paper: #fcfcfd; --best: #0b6e4f; --info: #0b68cb; --warning: #ad5700; --error: #ce2c31; }
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) { --ink: #edeef0; --soft: #b0b4ba; --line: #363a3f; --paper: #111113; --best: #4cc38a; --info: #70b8ff; --warning: #ffca16; --error: #ff9592; } }
:root[data-theme=dark] { color-scheme: dark; --ink: #edeef0; --soft: #b0b4ba; --line: #363a3f; --paper: #111113; --best: #4cc38a; --info: #70b8ff; --warning: #ffca16; --error: #ff9592; }
:root[data-theme=light] { color-scheme: light; }
html[data-lang=en] main:not([data-lang=en]), html[data-lang=zh-CN] main:not([data-lang=zh-CN]) { display: none; }
nav { display: flex; gap: .5rem; justify-content: flex-end; } nav button { font: inherit; font-size: .85rem; color: var(--soft); background: none; border: 1px solid var(--line); border-radius: .4rem; padding: .2rem .7rem; cursor: pointer; }
nav button:hover, nav button:focus-visible { color: var(--ink); border-color: var(--soft); }
figure { margin: 1.2rem 0 2rem; max-width: 46rem; } figure svg { display: block; width: 100%; height: auto; } figcaption { font-weight: 600; margin-top: .3rem; } details { margin-top: .3rem; color: var(--soft); } summary { cursor: pointer; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 2rem 1rem 4rem; font: 16px/1.55 system-ui, "Noto Sans CJK SC", sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.7rem; line-height: 1.25; } h2 { margin-top: 2.5rem; font-size: 1.2rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .5rem 0 1rem; font-variant-numeric: tabular-nums; font-size: .92rem; }
caption { text-align: left; color: var(--soft); padding: .3rem 0; } th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
table.numbers td, table.numbers thead th:not(:first-child) { text-align: right; white-space: nowrap; } table.numbers th[scope=row] { white-space: nowrap; } td small { display: block; font-weight: 400; color: var(--soft); } td.best { font-weight: 700; color: var(--best); }
.finding { border-left: .25rem solid var(--info); padding: .2rem .8rem; margin: .6rem 0; } .finding.warning { border-color: var(--warning); } .finding.error { border-color: var(--error); }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: .4rem; font-size: .85rem; } p, li { max-width: 60rem; overflow-wrap: anywhere; }
@media print { nav, details { display: none; } body { max-width: none; padding: 0; font-size: 11px; } h2 { break-after: avoid; } tr, .finding { break-inside: avoid; } }
`;

/** A value with its interval below it, so that columns stay narrow. */
function withInterval(text: string): string {
  const found = /^(\S+) (\[[^\]]*\])$/.exec(text);
  return found === null ? escape(text) : `${escape(found[1]!)}<small>${escape(found[2]!)}</small>`;
}

function table({ caption, head, rows, numeric }: Table): string {
  const titles = head.every((text) => text === '')
    ? ''
    : `<thead><tr>${head.map((text) => `<th scope="col">${escape(text)}</th>`).join('')}</tr></thead>`;
  const body = rows.map(
    ([first, ...rest]) =>
      '<tr><th ' +
      `scope="row">${escape(first?.text ?? '')}</th>` +
      rest
        .map(
          ({ text, best = false }) =>
            `<td${best ? ' class="best"' : ''}>${withInterval(text)}</td>`,
        )
        .join('') +
      '</tr>',
  );
  return (
    '<div class="scroll" ' +
    `tabindex="0"><table${numeric ? ' class="numbers"' : ''}><caption>${escape(caption)}</caption>${titles}<tbody>${body.join('')}</tbody></table></div>`
  );
}

function block(one: Block, id: string, words: Dictionary): string {
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
      return `<figure>${chartSvg(one.chart, id)}<figcaption>${escape(one.chart.title)}</figcaption><details><summary>${escape(words.charts.table)}</summary>${table(one.table)}</details></figure>`;
    case 'code':
      return `<pre><code>${escape(one.text)}</code></pre>`;
  }
}

/** One page with the report in every language given; the first is shown. */
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
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(first.document.title)}</title><link rel="icon" href="data:,"><style>${style}</style></head>
<body>
<nav>${buttons}<button type="button" data-theme>${escape(first.words.theme)}</button></nav>
${bodies.join('\n')}
<script>${htmlScript}</script>
</body>
</html>
`;
}
