/** A result for a terminal: the summary, the main tables, the findings, and what was left out. */
import CliTable from 'cli-table3';
import pc from 'picocolors';
import { groupFindings } from '../findings/group.js';
import { exampleOf, type EvaluationResult } from '../schema/index.js';
import { wordsOf, type Language } from './build.js';
import type { Cell, Table } from './document.js';
import { terminalWords } from './language/terminal.js';
import { lossLines } from './sections/losses.js';
import { entriesOf, mainTable } from './sections/results.js';
import { peerTables } from './sections/peers.js';
import { statementsOf } from './sections/summary.js';
import { shownOnOneLine } from '../shown-text.js';

export interface TerminalOptions {
  /** Language; default en. */
  lang?: Language;
  color?: boolean;
  /** Width of the terminal in columns; default 160, for output that is no terminal's. */
  columns?: number;
}

/** Columns that an SAE and the names of the metrics take, roughly, without intervals. */
const columnWidth = 14;
const firstColumnWidth = 26;

/** Lines of a table with the columns `from` to `to`, the first before them. */
function tableLines(
  { head, rows }: Table,
  { from, to, text }: { from: number; to: number; text: (cell: Cell) => string },
): string {
  const pick = <T>(row: readonly T[]): T[] => [row[0]!, ...row.slice(from, to)];
  const shown = new CliTable({
    head: pick(head).map(shownOnOneLine),
    style: { head: [], border: [], compact: true },
    colAligns: pick(head).map((_, i) => (i === 0 ? 'left' : 'right')),
  });
  for (const row of rows) shown.push(pick(row).map(text));
  return shown.toString();
}

/** Width of a table: that of its upper border, which has no wide characters. */
const widthOf = (lines: string): number => lines.split('\n')[0]!.length;

/**
 * SAEs as columns, with intervals if they fit; in a narrow terminal, several tables below one
 * another.
 */
export function renderTable(
  result: EvaluationResult,
  {
    protocol,
    lang = 'en',
    color = false,
    columns = 160,
  }: TerminalOptions & { protocol: 'reference' | 'strict' },
): string {
  return fitted(mainTable(entriesOf(result), protocol, wordsOf[lang]), { lang, color, columns });
}

/** Numbers of SAELens and SAEBench, a table for each SAE; none if they were not asked for. */
export function renderPeers(
  result: EvaluationResult,
  { lang = 'en', color = false, columns = 160 }: TerminalOptions = {},
): string[] {
  return peerTables(result, wordsOf[lang]).map((table) => fitted(table, { lang, color, columns }));
}

/** A table, or in a narrow terminal several below one another. */
function fitted(table: Table, { lang, color, columns }: Required<TerminalOptions>): string {
  const colors = pc.createColors(color);
  const { caption, head, notes = [] } = table;
  const marked = ({ text, best = false }: Cell, shown = text): string =>
    best ? colors.bold(`${shown}${color ? '' : '*'}`) : shown;
  const short = (cell: Cell): string => marked(cell, cell.text.replace(/ \[.*\]$/, ''));
  const end = head.length;
  const measured = tableLines(table, { from: 1, to: end, text: ({ text }) => `${text}*` });
  const parts: string[] = [colors.bold(caption)];
  if (widthOf(measured) <= columns)
    parts.push(tableLines(table, { from: 1, to: end, text: (cell) => marked(cell) }));
  else {
    const perTable = Math.max(1, Math.floor((columns - firstColumnWidth) / columnWidth));
    for (let from = 1; from < end; from += perTable)
      parts.push(tableLines(table, { from, to: from + perTable, text: short }));
  }
  const { bestNote } = wordsOf[lang];
  const told = (note: string): string =>
    note === bestNote && !color ? terminalWords[lang].best : note;
  return [...parts, ...notes.map(told)].join('\n');
}

/** Lines on what of the data was left out, each reason with its first example. */
export function renderLosses(
  { data }: EvaluationResult,
  { lang = 'en' }: Pick<TerminalOptions, 'lang'> = {},
): string[] {
  const { first, colon } = terminalWords[lang];
  return [
    ...lossLines(data, wordsOf[lang]),
    ...(data.skipped ?? []).map(
      (one) => `  ${one.count} × ${one[lang]}${first}${colon}${exampleOf(one)[lang]}`,
    ),
  ].map(shownOnOneLine);
}

/** The summary of a result as lines. */
export function renderSummary(
  result: EvaluationResult,
  { lang = 'en', color = false }: TerminalOptions = {},
): string[] {
  const statements = statementsOf(result);
  if (statements.length === 0) return [];
  const colors = pc.createColors(color);
  return [
    colors.bold(wordsOf[lang].summary),
    ...statements.map(({ message }) => shownOnOneLine(`  ${message[lang]}`)),
  ];
}

/** Findings that tell of an error or warn, most serious first, one line for those of one rule. */
export function renderFindings(
  { findings }: EvaluationResult,
  { lang = 'en', color = false }: TerminalOptions = {},
): string[] {
  const colors = pc.createColors(color);
  const paint = { error: colors.red, warning: colors.yellow, info: colors.dim };
  const { severity: names, separator } = wordsOf[lang];
  const groups = groupFindings(findings);
  const notes = groups.filter(({ severity }) => severity === 'info').length;
  return [
    ...groups
      .filter(({ severity }) => severity !== 'info')
      .map(
        ({ severity, message }) =>
          `${paint[severity](`${names[severity]}${separator}`)}${shownOnOneLine(message[lang])}`,
      ),
    ...(notes === 0 ? [] : [terminalWords[lang].notes(notes)]),
  ];
}
