/** Findings: sentences that rules derive from the numbers of a result and that cite them. */
import type { Finding } from '../schema/index.js';
import type { FindingContext } from './rule.js';
import { rules } from './rules.js';

/** The findings of a result, in the order of the rules. */
export function findings(context: FindingContext): Finding[] {
  return rules.flatMap(({ code, severity, check }) =>
    check(context).map((found) => ({ severity, code, ...found })),
  );
}
