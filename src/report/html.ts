/** A document as one HTML file that needs nothing else: no script, no request; light and dark; prints. */
import type { Block, Document, Table } from './document.js';

const escape = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const style = `
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #d9d9e0; --paper: #fcfcfd; --best: #0b6e4f; --info: #0b68cb; --warning: #ad5700; --error: #ce2c31; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #b0b4ba; --line: #363a3f; --paper: #111113; --best: #4cc38a; --info: #70b8ff; --warning: #ffca16; --error: #ff9592; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 74rem; padding: 2rem 1rem 4rem; font: 16px/1.55 system-ui, "Noto Sans CJK SC", sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.7rem; line-height: 1.25; } h2 { margin-top: 2.5rem; font-size: 1.2rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .5rem 0 1rem; font-variant-numeric: tabular-nums; font-size: .92rem; }
caption { text-align: left; color: var(--soft); padding: .3rem 0; } th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
table.numbers td, table.numbers thead th:not(:first-child) { text-align: right; white-space: nowrap; } td.best { font-weight: 700; color: var(--best); }
.finding { border-left: .25rem solid var(--info); padding: .2rem .8rem; margin: .6rem 0; } .finding.warning { border-color: var(--warning); } .finding.error { border-color: var(--error); }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: .4rem; font-size: .85rem; } p, li { max-width: 60rem; overflow-wrap: anywhere; }
@media print { body { max-width: none; padding: 0; font-size: 11px; } h2 { break-after: avoid; } tr, .finding { break-inside: avoid; } }
`;

function table({ caption, head, rows, numeric }: Table): string {
  const titles = head.every((text) => text === '') ? '' : `<thead><tr>${head.map((text) => `<th scope="col">${escape(text)}</th>`).join('')}</tr></thead>`;
  const body = rows.map(([first, ...rest]) => `<tr><th scope="row">${escape(first?.text ?? '')}</th>${rest.map(({ text, best = false }) => `<td${best ? ' class="best"' : ''}>${escape(text)}</td>`).join('')}</tr>`);
  return `<div class="scroll" tabindex="0"><table${numeric ? ' class="numbers"' : ''}><caption>${escape(caption)}</caption>${titles}<tbody>${body.join('')}</tbody></table></div>`;
}

function block(one: Block): string {
  switch (one.kind) {
    case 'heading': return `<h${one.level}>${escape(one.text)}</h${one.level}>`;
    case 'paragraph': return `<p>${escape(one.text)}</p>`;
    case 'list': return `<ul>${one.items.map((item) => `<li>${escape(item)}</li>`).join('')}</ul>`;
    case 'finding': return `<p class="finding ${one.severity}"><strong>${escape(one.label)}</strong> ${escape(one.text)}</p>`;
    case 'table': return table(one.table);
    case 'code': return `<pre><code>${escape(one.text)}</code></pre>`;
  }
}

export function renderHtml({ title, lang, blocks }: Document): string {
  return `<!doctype html>
<html lang="${lang === 'zh' ? 'zh-CN' : 'en'}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(title)}</title><style>${style}</style></head>
<body>
${blocks.map(block).join('\n')}
</body>
</html>
`;
}
