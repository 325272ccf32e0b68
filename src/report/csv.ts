/** Results as CSV (RFC 4180): a row for each SAE, metric, protocol, layer and sweep point. */
import type {
  Estimate,
  EvaluationResult,
  PerLayer,
  ReferenceValues,
  SaeResult,
  StrictValues,
} from '../schema/index.js';

const head = [
  'evaluation',
  'label',
  'kind',
  'checkpoint',
  'protocol',
  'layer',
  'inferK',
  'theta',
  'metric',
  'value',
  'ci95_low',
  'ci95_high',
];

/** Spreadsheets run text that begins like a formula. */
function field(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

interface Place {
  layer?: number;
  inferK?: number | undefined;
  theta?: number | undefined;
}

export function renderCsv(results: readonly EvaluationResult[]): string {
  const lines = [head.join(',')];
  const row = (
    run: EvaluationResult,
    { label, kind, checkpoint }: SaeResult,
    protocol: string,
    place: Place,
    metric: string,
    value: number,
    ci95?: readonly [number, number] | null,
  ): void => {
    lines.push(
      [
        run.id,
        label,
        kind,
        checkpoint,
        protocol,
        place.layer,
        place.inferK,
        place.theta,
        metric,
        value,
        ci95?.[0],
        ci95?.[1],
      ]
        .map(field)
        .join(','),
    );
  };
  const rows = (
    run: EvaluationResult,
    sae: SaeResult,
    place: Place,
    values: {
      reference: ReferenceValues | PerLayer['reference'] | null;
      strict: StrictValues | PerLayer['strict'] | null;
    },
  ): void => {
    for (const [metric, value] of Object.entries(values.reference ?? {}))
      if (typeof value === 'number' && metric !== 'splicedAt')
        row(run, sae, 'reference', place, metric, value);
    for (const [metric, value] of Object.entries(values.strict ?? {})) {
      if (value !== null && typeof value === 'object' && 'mean' in value)
        row(run, sae, 'strict', place, metric, (value as Estimate).mean, (value as Estimate).ci95);
    }
  };
  for (const run of results) {
    for (const sae of run.results) {
      rows(run, sae, {}, sae);
      for (const one of sae.perLayer ?? []) rows(run, sae, { layer: one.layer }, one);
      for (const point of sae.sweep ?? [])
        rows(run, sae, { inferK: point.inferK, theta: point.theta }, point);
    }
  }
  return `${lines.join('\r\n')}\r\n`;
}
