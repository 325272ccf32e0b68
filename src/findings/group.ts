/** Findings as a report shows them: one sentence for many SAEs, the most serious first. */
import type { Bilingual } from '../bilingual.js';
import type { Finding } from '../schema/index.js';
import { rules } from './rules.js';

/** Findings of one rule. */
export interface FindingGroup {
  code: string;
  severity: Finding['severity'];
  message: Bilingual;
  /** The findings that the sentence stands for. */
  found: Finding[];
}

const order: readonly Finding['severity'][] = ['error', 'warning', 'info'];

/** Findings grouped by rule, errors first; inside a severity, in the order of the rules. */
export function groupFindings(findings: readonly Finding[]): FindingGroup[] {
  const byCode = new Map<string, Finding[]>();
  for (const one of findings) byCode.set(one.code, [...(byCode.get(one.code) ?? []), one]);
  return [...byCode]
    .flatMap(([code, found]): FindingGroup[] => {
      const together = rules.find((rule) => rule.code === code)?.together;
      return found.length > 1 && together !== undefined
        ? [{ code, severity: found[0]!.severity, message: together(found), found }]
        : found.map((one) => ({
            code,
            severity: one.severity,
            message: one.message,
            found: [one],
          }));
    })
    .toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}
