/** Sections about the run: configuration, SAEs, meanings, files, the request, versions. */
import { scalarFieldsOf } from '../../metrics/table.js';
import { kindNamed } from '../../sae/kinds/kinds.js';
import { protocolNames, type EvaluationResult } from '../../schema/index.js';
import { cell, heading, paragraph, type Block } from '../document.js';
import type { Words } from '../language/words.js';
import { number } from '../numbers.js';

/** Fields of `config` that the run decides; the others are the request. */
const runOnly = new Set([
  'deviceName',
  'architecture',
  'threads',
  'microBatch',
  'saeProducts',
  'versions',
]);

/** The request that gives this result again. */
export function requestOf({ config }: EvaluationResult): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).filter(([key, value]) => !runOnly.has(key) && value !== undefined),
  );
}

export function configurationSection(
  { createdAt, config, data, timing, memory }: EvaluationResult,
  words: Words,
): Block[] {
  const { architecture, dataset } = config;
  const override =
    config.inferK !== undefined
      ? `inferK = ${JSON.stringify(config.inferK)}`
      : config.theta !== undefined
        ? `theta = ${JSON.stringify(config.theta)}`
        : null;
  const rows: [string, string][] = [
    ['createdAt', createdAt],
    [
      'model',
      `${config.model} (${architecture.family}, ${architecture.layers} × ` +
        `${architecture.width}, ${number(architecture.parameters)})`,
    ],
    ['data', dataset.path],
    ['samples', `${data.samples} (${data.batches} × ${config.batchSize})`],
    ['tokens', String(data.realTokens)],
    ['padded', String(data.paddedTokens)],
    ['batchSize', String(config.batchSize)],
    ['seqLen', String(dataset.seqLen)],
    ['device', `${config.device} · ${config.deviceName}`],
    ['dtype', `${config.dtype} / ${config.saeDtype}`],
    ...(override === null ? [] : [['override', override] as [string, string]]),
    ['seed', String(config.seed)],
    ['threads', String(config.threads)],
    [
      'microBatch',
      `${config.microBatch.sequences} × ${dataset.seqLen}, ${config.microBatch.logits}`,
    ],
    [
      'seconds',
      `${number(Number(timing.seconds.toFixed(1)))} s ` +
        `(${number(Math.round(timing.tokensPerSecond))} /s)`,
    ],
    ['memory', `${number(Math.round(memory.peakBytes / 2 ** 20))} MiB`],
  ];
  return [
    heading(2, words.configuration),
    {
      kind: 'table',
      table: {
        caption: words.configuration,
        numeric: false,
        head: ['', ''],
        rows: rows.map(([key, value]) => [cell(words.field[key] ?? key), cell(value)]),
      },
    },
  ];
}

/** `4…12` for neighbours, else a list. */
function range(layers: readonly number[]): string {
  const consecutive = layers.length > 2 && layers.every((layer, i) => layer === layers[0]! + i);
  return consecutive ? `${layers[0]}…${layers.at(-1)}` : layers.join(', ');
}

export function modelsSection({ results }: EvaluationResult, words: Words): Block[] {
  return [
    heading(2, words.models),
    {
      kind: 'list',
      items: results.map(
        ({
          label,
          kind,
          layer,
          layers,
          k,
          m,
          routing,
          aggregation,
          format,
          hookPoint,
          normalization,
          positions,
        }) => {
          const where =
            layer === undefined
              ? `${words.layers} ${range(layers ?? [])}`
              : `${words.layer} ${layer}`;
          const size = [
            m === null ? '' : `m = ${m}`,
            k === null ? '' : `k = ${k}`,
            routing === null ? '' : `${routing}, ${aggregation}`,
          ]
            .filter((text) => text !== '')
            .join(', ');
          const published =
            format === undefined || format === 'routesae'
              ? ''
              : '; ' +
                [format, hookPoint, normalization]
                  .filter((text) => text !== null && text !== undefined)
                  .join(', ');
          const left = positions === undefined ? null : words.positionsLeftOut(positions);
          return (
            `${label}${label === kind ? '' : ` (${kind})`}${words.separator}` +
            `${kindNamed(kind).summary[words.lang]}; ${where}${size === '' ? '' : `; ${size}`}` +
            published +
            (left === null ? '' : `; ${left}`)
          );
        },
      ),
    },
  ];
}

export function findingsSection(
  { findings }: EvaluationResult,
  lang: 'en' | 'zh',
  words: Words,
): Block[] {
  return [
    heading(2, words.findings),
    ...(findings.length === 0
      ? [paragraph(words.noFindings)]
      : findings.map(({ severity, message }): Block => ({
          kind: 'finding',
          severity,
          label: words.severity[severity],
          text: message[lang],
        }))),
  ];
}

export function appendixSections(result: EvaluationResult, words: Words): Block[] {
  const fields = protocolNames
    .filter((protocol) => result.config.protocol.includes(protocol))
    .flatMap((protocol) => scalarFieldsOf(protocol));
  const meanings = new Set(
    fields.map(
      ({ name, meaning }) => `${name[words.lang]}${words.separator}${meaning[words.lang]}`,
    ),
  );
  return [
    heading(2, words.metricsMean),
    {
      kind: 'list',
      items: [...meanings],
    },
    heading(2, words.files),
    {
      kind: 'list',
      items: [
        result.config.model,
        result.config.dataset.path,
        ...new Set(result.results.map(({ checkpoint }) => checkpoint)),
      ],
    },
    heading(2, words.again),
    paragraph(words.againLine),
    { kind: 'code', language: 'json', text: JSON.stringify(requestOf(result), null, 2) },
    heading(2, words.versions),
    {
      kind: 'list',
      items: Object.entries(result.config.versions).map(([name, version]) => `${name} ${version}`),
    },
  ];
}
