/** Results as CSV (RFC 4180): a row for each SAE, metric, protocol, layer and sweep point. */
import { scalarFieldsOf } from '../metrics/table.js';
import { shown } from '../shown-text.js';
import {
  peerProtocolNames,
  protocolNames,
  type Estimate,
  type EvaluationResult,
  type PeerProtocol,
  type PerLayer,
  type SaeResult,
  type StrictValues,
  type SweepPoint,
} from '../schema/index.js';
import { estimateOf } from './metric-rows.js';

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
  'prefix',
];

/**
 * Beginnings of formulas: at the beginning of a field, and behind what other spreadsheets take for
 * the end of one (semicolons in many countries, tabs, lines); space before them and full-width
 * signs count too.
 */
const formula = /(?<=^|[;\t\n])(?=\s*[=+\-@＝＋－＠])/gu;

/** A field of a row. Spreadsheets run text that begins like a formula, so it gets a quote. */
export function csvField(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const safe = shown(value.replace(/\r\n?/g, '\n')).replace(formula, "'");
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

interface Place {
  /** `together`: all layers of an SAE replaced together. */
  layer?: number | 'together';
  inferK?: number | undefined;
  theta?: number | undefined;
  prefix?: number | undefined;
}

export function renderCsv(results: readonly EvaluationResult[]): string {
  const lines = [head.join(',')];
  const row = (
    run: EvaluationResult,
    { label, kind, checkpoint }: SaeResult,
    protocol: string,
    place: Place,
    metric: string,
    { mean, ci95 }: Estimate,
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
        mean,
        ci95?.[0],
        ci95?.[1],
        place.prefix,
      ]
        .map(csvField)
        .join(','),
    );
  };
  const rows = (
    run: EvaluationResult,
    sae: SaeResult,
    place: Place,
    values: SaeResult | PerLayer | SweepPoint,
    peers: Pick<SweepPoint, PeerProtocol> = {},
  ): void => {
    for (const protocol of protocolNames)
      for (const metric of scalarFieldsOf(protocol)) {
        const value = estimateOf(values, metric);
        if (value !== null) row(run, sae, protocol, place, metric.field, value);
      }
    for (const protocol of peerProtocolNames)
      for (const [name, value] of Object.entries(peers[protocol] ?? {}))
        if (typeof value === 'number') row(run, sae, protocol, place, name, { mean: value });
  };
  for (const run of results) {
    for (const sae of run.results) {
      rows(run, sae, {}, sae, sae);
      for (const one of sae.perLayer ?? []) rows(run, sae, { layer: one.layer }, one);
      if (sae.replacement)
        rows(
          run,
          sae,
          { layer: 'together' },
          { reference: null, strict: sae.replacement as StrictValues },
        );
      for (const point of sae.sweep ?? [])
        rows(
          run,
          sae,
          { inferK: point.inferK, theta: point.theta, prefix: point.prefix },
          point,
          point,
        );
    }
  }
  return `${lines.join('\r\n')}\r\n`;
}
