/**
 * The comparison a reader wants, in order: baseline, standard and gated, TopK against RouteSAE,
 * several layers, what follows.
 */
import type { EvaluationResult, SaeKind, SaeResult } from '../../schema/index.js';
import { heading, paragraph, type Block } from '../document.js';
import type { Dictionary } from '../language/dictionary.js';
import { interval, number } from '../numbers.js';
import { mainTable } from './results.js';

const groups = [
  { name: 'baseline', kinds: ['RandomK'] },
  { name: 'standard', kinds: ['Vanilla', 'Gated', 'JumpReLU'] },
  { name: 'routing', kinds: ['TopK', 'RouteSAE'] },
  { name: 'multiLayer', kinds: ['MLSAE', 'Crosscoder'] },
] as const satisfies readonly { name: keyof Dictionary['groups']; kinds: readonly SaeKind[] }[];

/** What a comparison is read from; the main tables have the rest. */
const telling = ['NormMSE', 'KLDiv', 'KLDivPerToken', 'DeltaCE', 'Recovered', 'L0'];

/** `RouteSAE − TopK: −33.9 nats [−36.1, −31.8]` for the pairs inside a group. */
function differences(
  { comparisons }: EvaluationResult,
  labels: ReadonlySet<string>,
  words: Dictionary,
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
        `${a} − ${b}, ${words.metric[metric]!.name}${words.separator}${number(difference)} ` +
        `${words.nats} ${interval(ci95)}`
      ).trimEnd(),
    );
}

/**
 * Sentences that follow from the numbers: the least KL among SAEs that are no near-identity, and at
 * the least L0.
 */
function recommendations({ results, findings }: EvaluationResult, words: Dictionary): string[] {
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
    words.mostFaithful(faithful.label, number(faithful.kl), number(faithful.l0), identity.size),
    ...(sparse.label === faithful.label
      ? []
      : [words.bestAtSparsest(sparse.label, number(sparse.kl), number(sparse.l0))]),
  ];
}

export function readingSection(result: EvaluationResult, words: Dictionary): Block[] {
  const protocol = result.config.protocol.includes('strict') ? 'strict' : 'reference';
  const blocks = groups.flatMap(({ name, kinds }): Block[] => {
    const members = result.results.filter(
      ({ kind, error }: SaeResult) =>
        error === null && (kinds as readonly SaeKind[]).includes(kind),
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
