/** The summary of a result: sentences that rules derive from its numbers. */
import type { Summary } from '../schema/index.js';
import type { SummaryContext } from './reading.js';
import { summaryRules } from './rules.js';

/** The sentences that the numbers call for, in the order of a report. */
export function summarize(context: SummaryContext): Summary {
  return {
    statements: summaryRules.flatMap(({ code, check }) =>
      check(context).map((said) => ({ code, ...said })),
    ),
  };
}

/** Part of the summary in which a statement stands. */
export function partOf(code: string): 'compared' | 'verdict' | 'conclusion' {
  return summaryRules.find((rule) => rule.code === code)?.part ?? 'verdict';
}
