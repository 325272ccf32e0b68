/** The findings, grouped: one sentence for many SAEs, the most serious first. */
import { groupFindings } from '../../findings/group.js';
import type { EvaluationResult, Finding } from '../../schema/index.js';
import { heading, paragraph, type Block } from '../document.js';
import type { Words } from '../language/words.js';

/** Sentences that a group lists one by one; the result has them all. */
const mostDetails = 50;

function detailsOf(found: readonly Finding[], words: Words): string[] {
  if (found.length === 1) return [];
  const more = found.length - mostDetails;
  return [
    ...found.slice(0, mostDetails).map((one) => one.message[words.lang]),
    ...(more > 0 ? [words.moreFindings(more)] : []),
  ];
}

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
          details: detailsOf(found, words),
        }))),
  ];
}
