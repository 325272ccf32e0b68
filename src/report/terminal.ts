/** A result for a terminal: the main table, what was left out, and the findings. */
import CliTable from 'cli-table3';
import pc from 'picocolors';
import { exampleOf, type EvaluationResult } from '../schema/index.js';
import { wordsOf } from './build.js';
import { lossLines } from './sections/losses.js';
import { entriesOf, mainTable } from './sections/results.js';

/** SAEs as columns; in a narrow terminal, several tables below one another. */
export function renderTable(
  result: EvaluationResult,
  {
    protocol,
    color = false,
    columns = 160,
  }: { protocol: 'reference' | 'strict'; color?: boolean; columns?: number },
): string {
  const colors = pc.createColors(color);
  const { caption, head, rows } = mainTable(entriesOf(result), protocol, wordsOf.en);
  // Only the report has room for intervals.
  const short = (text: string): string => text.replace(/ \[.*\]$/, '');
  const perTable = Math.max(1, Math.floor((columns - 26) / 14));
  const parts: string[] = [colors.bold(caption)];
  for (let from = 1; from < head.length; from += perTable) {
    const pick = <T>(row: readonly T[]): T[] => [row[0]!, ...row.slice(from, from + perTable)];
    const shown = new CliTable({
      head: pick(head).map(printable),
      style: { head: [], border: [], compact: true },
      colAligns: pick(head).map((_, i) => (i === 0 ? 'left' : 'right')),
    });
    for (const row of rows)
      shown.push(
        pick(row).map(({ text, best = false }) =>
          best ? colors.bold(`${short(text)}${color ? '' : '*'}`) : short(text),
        ),
      );
    parts.push(shown.toString());
  }
  if (!color) parts.push('* best');
  return parts.join('\n');
}

/** Replaces control characters: those of a label could control the terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '�');
}

/** Lines on what of the data was left out, each reason with its first example. */
export function renderLosses({ data }: EvaluationResult): string[] {
  return [
    ...lossLines(data, wordsOf.en),
    ...(data.skipped ?? []).map((one) => `  ${one.count} × ${one.en}; first: ${exampleOf(one).en}`),
  ].map(printable);
}

/** Findings that warn, or tell of an error, as lines. */
export function renderFindings({ findings }: EvaluationResult): string[] {
  return findings
    .filter(({ severity }) => severity !== 'info')
    .map(({ severity, message }) => printable(`${wordsOf.en.severity[severity]}: ${message.en}`));
}
