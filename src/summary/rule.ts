/** A rule of the summary: a condition on the numbers of a result, and the sentences it gives. */
import type { Bilingual } from '../bilingual.js';
import type { Statement } from '../schema/index.js';
import type { SummaryContext } from './reading.js';

export interface SummaryRule {
  code: string;
  /** Part of the summary in which the sentences stand. */
  part: 'compared' | 'verdict' | 'conclusion';
  /** The exact condition, for docs/reference/summary.md. */
  condition: Bilingual;
  check(context: SummaryContext): Omit<Statement, 'code'>[];
}
