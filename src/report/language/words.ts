/**
 * Texts of a report. The names and meanings of metrics, the sentences on kinds and the findings
 * bring their own.
 */
import type { SaeResult } from '../../schema/index.js';

type Positions = NonNullable<SaeResult['positions']>;

/** An SAE whose numbers a sentence cites. */
export interface Cited {
  label: string;
  /** KL per token, as text. */
  kl: string;
  l0: string;
}

export interface Words {
  lang: 'en' | 'zh';
  title: string;
  configuration: string;
  resultsUnder(protocol: 'reference' | 'strict'): string;
  protocolLine: Record<'reference' | 'strict', string>;
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
  severity: Record<'info' | 'warning' | 'error', string>;
  models: string;
  perLayer: string;
  sweep: string;
  comparisons: string;
  comparisonsLine: string;
  metricsMean: string;
  files: string;
  again: string;
  againLine: string;
  versions: string;
  field: Record<string, string>;
  /** Positions that do not count for an SAE; null if all do. */
  positionsLeftOut(positions: Positions): string | null;
  layer: string;
  layers: string;
  splicedAt: string;
  metricColumn: string;
  pair: string;
  difference: string;
  failed(code: string, message: string): string;
  separator: string;
  several: string;
  /** @param fields names of the settings in which the evaluations differ. */
  notComparable(fields: readonly string[]): string;
  charts: Record<
    | 'title'
    | 'errorAgainstKl'
    | 'sparsityAgainstKl'
    | 'frontier'
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
  reading: string;
  recommendations: string;
  groups: Record<
    'baseline' | 'standard' | 'routing' | 'multiLayer',
    { title: string; line: string }
  >;
  nats: string;
  /** `nearIdentities`: labels of the SAEs that are left out. */
  mostFaithful(cited: Cited & { nearIdentities: readonly string[] }): string;
  bestAtSparsest(cited: Cited): string;
  theme: string;
  otherLanguage: string;
}
