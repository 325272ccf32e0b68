/** What of the data has no part in the numbers: skipped records by reason, and truncated text. */
import { exampleOf, type DataSummary, type EvaluationResult } from '../../schema/index.js';
import { cell, heading, paragraph, type Block } from '../document.js';
import type { Words } from '../language/words.js';
import { percent } from '../numbers.js';

/** Sentences on the losses: the number of skipped records, and of truncated tokens. */
export function lossLines(data: DataSummary, { losses }: Words): string[] {
  const { skippedRecords, records = null, truncatedTokens, realTokens } = data;
  return [
    ...(skippedRecords === 0 ? [] : [losses.skipped(skippedRecords, records)]),
    ...(truncatedTokens === 0
      ? []
      : [
          losses.truncated(
            truncatedTokens,
            percent(truncatedTokens / Math.max(truncatedTokens + realTokens, 1)),
          ),
        ]),
  ];
}

export function lossesSection({ data }: EvaluationResult, words: Words): Block[] {
  const { losses, lang } = words;
  const { skipped = [] } = data;
  const lines = lossLines(data, words);
  if (lines.length === 0 && skipped.length === 0) return [];
  return [
    heading(2, losses.title, 'text'),
    ...lines.map(paragraph),
    ...(skipped.length === 0
      ? []
      : [
          {
            kind: 'table' as const,
            table: {
              caption: losses.title,
              numeric: false,
              head: [losses.reason, losses.count, losses.first],
              rows: skipped.map((one) => [
                cell(one[lang]),
                cell(String(one.count)),
                cell(exampleOf(one)[lang]),
              ]),
            },
          },
        ]),
  ];
}
