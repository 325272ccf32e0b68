/**
 * Texts of a report. The names and meanings of metrics, the sentences on kinds and the findings
 * bring their own.
 */
import type { EvaluationResult, SaeResult } from '../../schema/index.js';

type Positions = NonNullable<SaeResult['positions']>;

export interface Words {
  lang: 'en' | 'zh';
  title: string;
  summary: string;
  summaryCaption(protocol: 'reference' | 'strict'): string;
  /** SAEs that a table left out. */
  moreSaes(count: number): string;
  conclusions: string;
  contents: string;
  configuration: string;
  resultsUnder(protocol: 'reference' | 'strict'): string;
  protocolLine: Record<'reference' | 'strict', string>;
  /** Numbers of other tools. */
  peers: { title: string; line: string };
  losses: {
    title: string;
    reason: string;
    count: string;
    first: string;
    /** @param records number of records read; null if it is not known. */
    skipped(skipped: number, records: number | null): string;
    truncated(tokens: number, share: string): string;
  };
  findings: string;
  noFindings: string;
  /** Findings that a list left out. */
  moreFindings(count: number): string;
  severity: Record<'info' | 'warning' | 'error', string>;
  models: string;
  /** Meaning of the mark of near-identities, and of bold values. */
  nearIdentityNote: string;
  bestNote: string;
  /** @param who SAEs with the metrics that they lack. */
  missing(who: string, reason: string): string;
  perLayer: string;
  sweeps: {
    sparsity: string;
    prefixes: string;
    /** The name of a row in a table of prefixes. */
    prefixesLine: string;
    prefix: string;
    /** Cell of the prefix that is the whole SAE. */
    whole(m: number): string;
    /** KL over that of the whole SAE. */
    timesWhole: string;
  };
  comparisons: string;
  comparisonsLine: string;
  value: string;
  differenceTo(base: string): string;
  notToldFrom: string;
  metricsMean: string;
  files: string;
  filesLine: string;
  file: string;
  bytes: string;
  /** Said of a digest that is over samples of a file. */
  sampled: string;
  again: string;
  againLine: string;
  versions: string;
  field: Record<string, string>;
  architecture(of: EvaluationResult['config']['architecture']): string;
  samples(count: number, batches: number, batchSize: number): string;
  /** Units that intervals resample. @param batches their number; null: sequences. */
  intervals(batches: string | null): string;
  /** Said of metrics that are over the first samples alone. */
  overFirst(samples: number, names: readonly string[]): string;
  tokenCount(count: number): string;
  shuffled(seed: number): string;
  atATime(sequences: number, logits: string): string;
  took(seconds: string, tokensPerSecond: string): string;
  /** Nested groups of an SAE, as prefixes. */
  groups(prefixes: readonly number[]): string;
  /** Positions that do not count for an SAE; null if all do. */
  positionsLeftOut(positions: Positions): string | null;
  layer: string;
  layersColumn: string;
  saeColumn: string;
  splicedAt: string;
  /** Begins the line of the layers replaced together. */
  replacement: string;
  metricColumn: string;
  failed(code: string, message: string): string;
  separator: string;
  comma: string;
  semicolon: string;
  several: string;
  /** @param fields names of the settings in which the evaluations differ. */
  notComparable(fields: readonly string[]): string;
  charts: Record<
    | 'title'
    | 'errorAgainstKl'
    | 'sparsityAgainstKl'
    | 'frontier'
    | 'prefixKl'
    | 'prefixError'
    | 'prefix'
    | 'perLayerError'
    | 'perLayerKl'
    | 'routing'
    | 'density'
    | 'firingRate'
    | 'latents'
    | 'table',
    string
  >;
  chartDescription(y: string, x: string, series: readonly string[]): string;
  theme: string;
  /** Name of the language in itself. */
  ownName: string;
  /** Label of the list that a grouped finding stands for. */
  oneByOne: string;
}
