/**
 * Numbers of SAELens and SAEBench beside this project's: for each SAE a row for each of their
 * numbers, a column for each of their versions, and the number of `strict` that is meant alike.
 */
import { allPeerFields, type PeerField } from '../../metrics/peers/fields.js';
import {
  peersAmong,
  type EvaluationResult,
  type PeerProtocol,
  type SaeResult,
} from '../../schema/index.js';
import { cell, heading, paragraph, type Block, type Table } from '../document.js';
import type { Words } from '../language/words.js';
import { arrow, estimateOf } from '../metric-rows.js';
import { notAvailable, number } from '../numbers.js';

/** Numbers of `strict` that mean what a tool's number means, by their own definition. */
const alike: Readonly<Record<string, string>> = {
  kl_div_with_sae: 'KLDivPerToken',
  ce_loss_score: 'Recovered',
  explained_variance: 'ExplainedVariance',
  cossim: 'CosineSimilarity',
  l2_ratio: 'NormRatio',
  l0: 'L0',
};

/** SAEs up to which each has a table of its own. */
const mostTables = 8;

const valueOf = (sae: SaeResult, protocol: PeerProtocol, { field }: PeerField): number | null =>
  (sae[protocol] as Record<string, number | null> | null | undefined)?.[field] ?? null;

const titleOf = ({ field, better }: PeerField): string => `${field}${arrow[better]}`;

/** One SAE: its numbers below one another, a column for each protocol. */
function tableOf(
  sae: SaeResult,
  protocols: readonly PeerProtocol[],
  { words, hasStrict }: { words: Words; hasStrict: boolean },
): Table {
  const fields = allPeerFields.filter((field) =>
    protocols.some((protocol) => valueOf(sae, protocol, field) !== null),
  );
  return {
    caption: sae.label,
    numeric: true,
    head: [words.metricColumn, ...protocols, ...(hasStrict ? ['strict'] : [])],
    rows: fields.map((field) => [
      cell(titleOf(field)),
      ...protocols.map((protocol) => {
        const value = valueOf(sae, protocol, field);
        return cell(number(value), value ?? undefined);
      }),
      ...(hasStrict ? [cell(strictOf(sae, field))] : []),
    ]),
  };
}

function strictOf(sae: SaeResult, { field }: PeerField): string {
  const own = alike[field];
  if (own === undefined) return '–';
  const value = estimateOf(sae, { protocol: 'strict', field: own });
  return value === null ? notAvailable : number(value.mean);
}

/** Many SAEs: one table for each protocol. */
function tableUnder(saes: readonly SaeResult[], protocol: PeerProtocol, words: Words): Table {
  const fields = allPeerFields.filter((field) =>
    saes.some((sae) => valueOf(sae, protocol, field) !== null),
  );
  return {
    caption: protocol,
    numeric: true,
    head: [words.saeColumn, ...fields.map(titleOf)],
    meanings: [null, ...fields.map(({ meaning }) => meaning[words.lang])],
    rows: saes.map((sae) => [
      cell(sae.label),
      ...fields.map((field) => {
        const value = valueOf(sae, protocol, field);
        return cell(number(value), value ?? undefined);
      }),
    ]),
  };
}

/** Notes on the tools' numbers in this run, each once. */
function linesOf(
  { results }: EvaluationResult,
  protocols: readonly PeerProtocol[],
  { lang, separator, comma }: Words,
): string[] {
  const byText = new Map<string, string[]>();
  for (const { label, notes } of results)
    for (const note of notes) {
      if (!protocols.some((one) => note.metric === one || note.metric.startsWith(`${one}.`)))
        continue;
      const who = `${label} ${note.metric}`;
      byText.set(note[lang], [...(byText.get(note[lang]) ?? []), who]);
    }
  const few = (who: readonly string[]): string =>
    who.length <= 6 ? who.join(comma) : `${who.slice(0, 6).join(comma)}${comma}…`;
  return [...byText].map(([text, who]) => `${few(who)}${separator}${text}`);
}

/** The tables of a result: none without numbers of other tools. */
export function peerTables(result: EvaluationResult, words: Words): Table[] {
  const protocols = peersAmong(result.config.protocol);
  const saes = result.results.filter((sae) => protocols.some((one) => sae[one]));
  const hasStrict = result.config.protocol.includes('strict');
  return saes.length <= mostTables
    ? saes.map((sae) => tableOf(sae, protocols, { words, hasStrict }))
    : protocols.map((protocol) => tableUnder(saes, protocol, words));
}

export function peersSection(result: EvaluationResult, words: Words): Block[] {
  const protocols = peersAmong(result.config.protocol);
  if (protocols.length === 0) return [];
  const tables = peerTables(result, words);
  const lines = linesOf(result, protocols, words);
  return [
    heading(2, words.peers.title, 'tools'),
    paragraph(words.peers.line),
    ...tables.map((table): Block => ({ kind: 'table', table })),
    ...(lines.length === 0 ? [] : [{ kind: 'list' as const, items: lines }]),
  ];
}
