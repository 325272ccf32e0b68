/**
 * Every text of a report that is not a number, a name or a finding. One interface, so that no
 * language lacks one.
 */
import type { SaeKind } from '../../schema/index.js';

export interface Dictionary {
  title: string;
  configuration: string;
  results: string;
  resultsUnder(protocol: 'reference' | 'strict'): string;
  protocolLine: Record<'reference' | 'strict', string>;
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
  notes: string;
  field: Record<string, string>;
  /** One line for each field of the tables. */
  metric: Record<string, { name: string; meaning: string }>;
  kind: Record<SaeKind, string>;
  layer: string;
  layers: string;
  splicedAt: string;
  metricColumn: string;
  pair: string;
  difference: string;
  failed(code: string, message: string): string;
  separator: string;
  several: string;
  /** `fields`: in what evaluations differ that should be ranked. */
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
  mostFaithful(label: string, kl: string, l0: string, nearIdentities: number): string;
  bestAtSparsest(label: string, kl: string, l0: string): string;
  theme: string;
  otherLanguage: string;
}
