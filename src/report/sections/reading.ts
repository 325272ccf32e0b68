/**
 * How to read the tables: groups of kinds that belong together, one after the other, and what
 * follows from their numbers.
 */
import { kindNamed } from '../../sae/kinds/kinds.js';
import type { EvaluationResult } from '../../schema/index.js';
import { heading, paragraph, type Block } from '../document.js';
import type { Words } from '../language/words.js';
import { nameOf } from '../metric-rows.js';
import { interval, number } from '../numbers.js';
import { mainTable } from './results.js';

type Group = keyof Words['groups'];

/** The groups in the order of the report. */
const groups: readonly Group[] = ['baseline', 'standard', 'routing', 'multiLayer'];

/** Fields from which a comparison is read; the main tables have the others. */
const telling = ['NormMSE', 'KLDiv', 'KLDivPerToken', 'DeltaCE', 'Recovered', 'L0'];

/** Differences inside a group, such as `RouteSAE − TopK: −33.9 nats [−36.1, −31.8]`. */
function differences(
  { comparisons }: EvaluationResult,
  labels: ReadonlySet<string>,
  words: Words,
): string[] {
  return comparisons
    .filter(
      ({ metric, a, b }) =>
        (metric === 'KLDivPerToken' || metric === 'KLDivPerSequence') &&
        labels.has(a) &&
        labels.has(b),
    )
    .map(({ metric, a, b, difference, ci95 }) =>
      (
        `${a} − ${b}, ${nameOf(metric, words)}${words.separator}${number(difference)} ` +
        `${words.nats} ${interval(ci95)}`
      ).trimEnd(),
    );
}

/**
 * The SAE with the least KL, and the one with the least KL among the sparsest. Near-identities are
 * left out.
 */
function recommendations({ results, findings }: EvaluationResult, words: Words): string[] {
  const identity = new Set(
    findings.filter(({ code }) => code === 'near-identity').map(({ sae }) => sae),
  );
  const candidates = results.flatMap((one) => {
    const [kl, l0] = [one.strict?.KLDivPerToken?.mean, one.strict?.L0?.mean];
    return one.error !== null || identity.has(one.label) || kl === undefined || l0 === undefined
      ? []
      : [{ label: one.label, kl, l0 }];
  });
  if (candidates.length < 2) return [];
  const faithful = candidates.reduce((a, b) => (b.kl < a.kl ? b : a));
  const sparsest = Math.min(...candidates.map(({ l0 }) => l0));
  const sparse = candidates
    .filter(({ l0 }) => l0 <= 1.05 * sparsest)
    .reduce((a, b) => (b.kl < a.kl ? b : a));
  return [
    words.mostFaithful({
      label: faithful.label,
      kl: number(faithful.kl),
      l0: number(faithful.l0),
      nearIdentities: results.map(({ label }) => label).filter((label) => identity.has(label)),
    }),
    ...(sparse.label === faithful.label
      ? []
      : [
          words.bestAtSparsest({
            label: sparse.label,
            kl: number(sparse.kl),
            l0: number(sparse.l0),
          }),
        ]),
  ];
}

export function readingSection(result: EvaluationResult, words: Words): Block[] {
  const protocol = result.config.protocol.includes('strict') ? 'strict' : 'reference';
  const blocks = groups.flatMap((name): Block[] => {
    const members = result.results.filter(
      ({ kind, error }) => error === null && kindNamed(kind).group === name,
    );
    if (members.length === 0) return [];
    const lines = differences(result, new Set(members.map(({ label }) => label)), words);
    return [
      heading(3, words.groups[name].title),
      paragraph(words.groups[name].line),
      { kind: 'table', table: mainTable(members, protocol, words, { fields: telling }) },
      ...(lines.length === 0 ? [] : [{ kind: 'list' as const, items: lines }]),
    ];
  });
  const advice = recommendations(result, words);
  return blocks.length === 0
    ? []
    : [
        heading(2, words.reading),
        ...blocks,
        ...(advice.length === 0
          ? []
          : [heading(3, words.recommendations), { kind: 'list' as const, items: advice }]),
      ];
}
