/**
 * The table of metrics. To add a metric, add its file and a line here: the request's names, the
 * result's schema and types, the sums that are kept, the rows of reports, the page and
 * docs/metrics.md follow from it.
 */
import { cosineSimilarity } from './cosine-similarity.js';
import { deadLatents } from './dead-latents.js';
import { deltaCE } from './delta-ce.js';
import { densityHistogram } from './density-histogram.js';
import { explainedVariance } from './explained-variance.js';
import { klDiv } from './kl-div.js';
import { l0 } from './l0.js';
import type { Column, Field, Metric, Protocol, ScalarField, ValuesOf, Vector } from './metric.js';
import { nextTokenAgreement } from './next-token-agreement.js';
import { normMSE } from './norm-mse.js';
import { recovered } from './recovered.js';
import { routingShare } from './routing-share.js';

export const metrics = [
  normMSE,
  klDiv,
  deltaCE,
  recovered,
  nextTokenAgreement,
  l0,
  deadLatents,
  densityHistogram,
  explainedVariance,
  cosineSimilarity,
  routingShare,
] as const satisfies readonly Metric[];

/** Metrics in the order of requests, results and reports. */
export type Table = readonly Metric[];

type Known = (typeof metrics)[number];
export type MetricName = Known['name'];
/** Values of a result under `reference`. */
export type ReferenceValues = ValuesOf<Known, 'reference'>;
/** Values of a result under `strict`. */
export type StrictValues = ValuesOf<Known, 'strict'>;
/** Values of one layer under a protocol. */
export type LayerValues<P extends Protocol> = ValuesOf<Known, P, { perLayer: true }>;

/** The metrics of these names, in the order of the table. */
export function metricsNamed(names: readonly string[], table: Table = metrics): Table {
  return table.filter(({ name }) => names.includes(name));
}

/** The fields of a result under a protocol. */
export function fieldsOf(protocol: Protocol, table: Table = metrics): Field[] {
  return table.flatMap(({ fields }) => fields.filter((field) => field.protocol === protocol));
}

/** The fields that are a single number, one row each in tables. */
export function scalarFieldsOf(protocol: Protocol, table: Table = metrics): ScalarField[] {
  return fieldsOf(protocol, table).filter(
    (field): field is ScalarField => field.shape === 'number' || field.shape === 'estimate',
  );
}

/** The first field of that name: those of both protocols share their texts. */
export function fieldNamed(name: string, table: Table = metrics): Field | undefined {
  return table.flatMap(({ fields }) => fields).find(({ field }) => field === name);
}

/** Source of a column, positions it counts, name: a key that orders columns. */
function orderOf(column: Column): string {
  const counted =
    column.from === 'reconstruction' ? column.protocols : column.over === 'positions' ? 0 : 1;
  return [column.from, counted, column.name].join(' ');
}

/** Columns that metrics need, each once. Their order does not depend on the order of metrics. */
export function columnsOf(table: Table): Column[] {
  return [...new Set(table.flatMap(({ columns = [] }) => columns))].sort((a, b) =>
    orderOf(a) < orderOf(b) ? -1 : 1,
  );
}

/** Vectors that metrics need, each once. */
export function vectorsOf(table: Table): Vector[] {
  return [...new Set(table.flatMap(({ vectors = [] }) => vectors))];
}

/** Whether a metric reads intervened passes, so that it is over the samples that are spliced. */
export function readsSplices(metric: Metric): boolean {
  const { splice, zero } = needsOf(metric);
  return splice || zero;
}

/** Whether a metric needs the logits of spliced passes, and of passes with sites set to zero. */
export function needsOf({ columns = [] }: Metric): { splice: boolean; zero: boolean } {
  return {
    splice: columns.some(({ from }) => from === 'splice'),
    zero: columns.some(({ from }) => from === 'zero'),
  };
}
