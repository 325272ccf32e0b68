/** The findings, grouped: one sentence for many SAEs, the most serious first. */
import { groupFindings } from '../../findings/group.js';
import type { EvaluationResult } from '../../schema/index.js';
import { heading, paragraph, type Block } from '../document.js';
import type { Words } from '../language/words.js';

export function findingsSection({ findings }: EvaluationResult, words: Words): Block[] {
  const groups = groupFindings(findings);
  return [
    heading(2, words.findings, 'findings'),
    ...(groups.length === 0
      ? [paragraph(words.noFindings)]
      : groups.map(({ severity, message, found }): Block => ({
          kind: 'finding',
          severity,
          label: words.severity[severity],
          text: message[words.lang],
          details: found.length === 1 ? [] : found.map((one) => one.message[words.lang]),
        }))),
  ];
}
