/**
 * Findings: what follows from the numbers of a result, by rules. No sentence without a number.
 * Native-free.
 */
import type { Finding } from '../schema/index.js';
import type { FindingContext } from './rule.js';
import { rules } from './rules.js';

/** The findings of a result, in the order of the rules. */
export function findings(context: FindingContext): Finding[] {
  return rules.flatMap(({ code, severity, check }) =>
    check(context).map((found) => ({ severity, code, ...found })),
  );
}

/** docs/reference/findings.md. */
export function findingsDocument(): string {
  const rows = rules.map(
    ({ code, severity, condition }) =>
      `| \`${code}\` | ${severity} | ${condition.en} | ${condition.zh} |`,
  );
  return `# Findings

A report says what follows from its numbers. Each finding comes from one rule, has a code, a severity, the numbers it rests on (\`evidence\`) and a sentence in
English and Chinese that cites them. \`d\` is the width of the residual stream, \`m\` the latents, \`sites\` the layers that one set of latents stands for
(a Crosscoder's; otherwise 1). The rules stand in \`src/evaluation/findings/rules/\`, one in a file.

| code | severity | fires where | 条件 |
|---|---|---|---|
${rows.join('\n')}
`;
}
