/** A result on standard output, and the exit code that it and its gates give. */
import { ownProtocols, type EvaluationResult } from '../schema/index.js';
import {
  renderFindings,
  renderLosses,
  renderPeers,
  renderSummary,
  renderTable,
} from '../report/terminal.js';
import { checkResult, type Gate } from './gate.js';
import type { Language } from './language.js';
import { say } from './say.js';
import { shownJson } from '../shown-text.js';

export interface ShowOptions {
  /** Whether the result is printed as JSON, and nothing else. */
  json?: boolean;
  lang: Language;
}

/** Prints the summary, the tables and the findings, or the whole result as JSON. */
export function showResult(result: EvaluationResult, { json = false, lang }: ShowOptions): void {
  const { stdout } = process;
  const color = stdout.isTTY;
  const columns = stdout.isTTY ? stdout.columns : 160;
  if (json) stdout.write(`${shownJson(result)}\n`);
  else {
    const tables = ownProtocols(result.config.protocol).map((protocol) =>
      renderTable(result, { protocol, lang, color, columns }),
    );
    const lines = [
      ...renderSummary(result, { lang, color }),
      ...tables,
      ...renderPeers(result, { lang, color, columns }),
      ...renderFindings(result, { lang, color }),
    ];
    for (const line of lines) stdout.write(`${line}\n`);
    for (const line of renderLosses(result, { lang })) say(line);
  }
  for (const { label, error } of result.results)
    if (error !== null) say(`sae-eval: ${label}: ${error.message}`);
}

/**
 * Exit code of a result: 1 if it or one of its SAEs failed, else 3 if a gate fired, 2 if a gate had
 * no number to look at. Says why on standard error.
 */
export function judge(result: EvaluationResult, gates: readonly Gate[]): 0 | 1 | 2 | 3 {
  const outcomes = gates.map((gate) => checkResult(gate, result));
  for (const { lines } of outcomes) for (const line of lines) say(`sae-eval: ${line}`);
  if (result.status !== 'succeeded') return 1;
  if (outcomes.some(({ fired }) => fired)) return 3;
  return outcomes.some(({ open }) => open) ? 2 : 0;
}
