/** A document as Markdown. */
import { shown, shownOnOneLine } from '../shown-text.js';
import type { Block, Cell, Document, Table } from './document.js';

/**
 * Addresses that Markdown of GitHub makes links of, without being asked. Nothing but code is left
 * as it stands: some readers look for addresses after they have taken escapes away.
 */
const address = new RegExp(
  '(?:(?:https?|ftp|mailto|xmpp):|www\\.)[^\\s`|]+|[\\w.+-]+@[\\w-]+\\.[\\w.-]+',
  'giu',
);

/** Escapes markup in text that a user typed. */
function escape(text: string): string {
  const line = shownOnOneLine(text.replace(/[\r\n\t]+/g, ' '));
  let escaped = '';
  let from = 0;
  for (const { 0: found, index } of line.matchAll(address)) {
    escaped += `${marked(line.slice(from, index))}\`${found}\``;
    from = index + found.length;
  }
  return escaped + marked(line.slice(from));
}

const marked = (text: string): string => text.replace(/[\\`*_[\]<>|#]/g, '\\$&');

function cellText({ text, best = false }: Cell): string {
  return best ? `**${escape(text)}**` : escape(text);
}

function table({ caption, head, rows, numeric, notes = [] }: Table): string {
  const rule = head.map((_, i) => (i === 0 || !numeric ? '---' : '---:'));
  return [
    `*${escape(caption)}*`,
    '',
    `| ${head.map(escape).join(' | ')} |`,
    `| ${rule.join(' | ')} |`,
    ...rows.map((row) => `| ${row.map(cellText).join(' | ')} |`),
    ...(notes.length === 0 ? [] : ['', ...notes.map(escape).join('  \n').split('\n')]),
  ].join('\n');
}

function fence(text: string): string {
  let marks = '```';
  while (text.includes(marks)) marks += '`';
  return marks;
}

function block(one: Block): string {
  switch (one.kind) {
    case 'heading':
      return `${'#'.repeat(one.level)} ${escape(one.text)}`;
    case 'paragraph':
      return escape(one.text);
    case 'list':
      return one.items.map((item) => `- ${escape(item)}`).join('\n');
    case 'finding':
      return `- **${escape(one.label)}** ${escape(one.text)}`;
    case 'table':
      return table(one.table);
    // Markdown has no pictures of its own, and the tables have the numbers.
    case 'chart':
      return '';
    case 'code':
      return `${fence(one.text)}${one.language}\n${shown(one.text)}\n${fence(one.text)}`;
  }
}

/** Leaves out charts, and headings of sections that hold only charts. */
function printed(one: Block, index: number, blocks: readonly Block[]): boolean {
  return one.kind !== 'chart' && !(one.kind === 'heading' && blocks[index + 1]?.kind === 'chart');
}

export function renderMarkdown({ blocks }: Document): string {
  return `${blocks.filter(printed).map(block).join('\n\n')}\n`;
}
