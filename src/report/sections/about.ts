/** Sections about the run: configuration, SAEs, meanings, files, the request, versions. */
import { placeOf } from '../../findings/place.js';
import { fieldsOf } from '../../metrics/table.js';
import { kindNamed } from '../../sae/kinds/kinds.js';
import { protocolNames, type EvaluationResult } from '../../schema/index.js';
import { cell, heading, paragraph, type Block } from '../document.js';
import type { Words } from '../language/words.js';
import { valueOf } from '../metric-rows.js';
import { number } from '../numbers.js';

/** Fields of `config` that the run decides; the others are the request. */
const runOnly = new Set([
  'deviceName',
  'files',
  'architecture',
  'threads',
  'microBatch',
  'saeProducts',
  'versions',
  'intervals',
  'plan',
  'machines',
]);

/** The request that gives this result again. */
export function requestOf({ config }: EvaluationResult): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).filter(([key, value]) => !runOnly.has(key) && value !== undefined),
  );
}

/** `2026-11-29 16:12 UTC`. */
const timeText = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;

const whole = (count: number): string => count.toLocaleString('en');

export function configurationSection(
  { createdAt, config, data, timing, memory }: EvaluationResult,
  words: Words,
): Block[] {
  const { architecture, dataset, name, tags = [], notes, metadata = {} } = config;
  const override =
    config.inferK !== undefined
      ? `inferK = ${JSON.stringify(config.inferK)}`
      : config.theta !== undefined
        ? `theta = ${JSON.stringify(config.theta)}`
        : config.prefixes !== undefined
          ? `prefixes = ${JSON.stringify(config.prefixes)}`
          : null;
  // Results of 0.1.0 say nothing, and had sequences; few sequences have no intervals.
  const batches = config.intervals?.batches;
  const intervals =
    config.protocol.includes('strict') && data.samples >= 20
      ? words.intervals(batches === undefined ? null : whole(batches))
      : null;
  const optional = (key: string, value: string | null | undefined): [string, string][] =>
    value === null || value === undefined || value === '' ? [] : [[key, value]];
  const rows: [string, string][] = [
    ...optional('name', name),
    ...optional('tags', tags.join(', ')),
    ...optional('notes', notes),
    ...optional(
      'metadata',
      Object.entries(metadata)
        .map(([key, value]) => `${key} = ${value}`)
        .join(', '),
    ),
    ['createdAt', timeText(createdAt)],
    ['model', `${config.model} (${words.architecture(architecture)})`],
    ['data', dataset.path],
    ...optional('split', dataset.split),
    ['samples', words.samples(data.samples, data.batches, config.batchSize)],
    ...optional('spliceSamples', data.spliceSamples?.toString()),
    ['tokens', whole(data.realTokens)],
    ['padded', whole(data.paddedTokens)],
    ['seqLen', words.tokenCount(dataset.seqLen)],
    [
      'chunking',
      [
        dataset.chunking ?? (dataset.tokensField === undefined ? 'words' : 'tokens'),
        ...(dataset.shuffle === undefined ? [] : [words.shuffled(dataset.shuffle)]),
      ].join(words.comma),
    ],
    ['device', `${config.device} · ${config.deviceName}`],
    ['dtype', `${config.dtype} / ${config.saeDtype}`],
    ...optional('override', override),
    ['seed', String(config.seed)],
    ...optional('intervals', intervals),
    ['threads', String(config.threads)],
    ['microBatch', words.atATime(config.microBatch.sequences, whole(config.microBatch.logits))],
    [
      'seconds',
      words.took(
        number(Number(timing.seconds.toFixed(1))),
        whole(Math.round(timing.tokensPerSecond)),
      ),
    ],
    ['memory', `${whole(Math.round(memory.peakBytes / 2 ** 20))} MiB`],
  ];
  return [
    heading(2, words.configuration, 'configuration'),
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

export function modelsSection({ results }: EvaluationResult, words: Words): Block[] {
  return [
    heading(2, words.models, 'saes'),
    {
      kind: 'list',
      items: results.map((sae) => {
        const { label, kind, k, m, groups, routing, aggregation } = sae;
        const { format, hookPoint, hookOut, normalization, positions } = sae;
        const hooks = hookOut === undefined ? hookPoint : `${hookPoint ?? '?'} → ${hookOut}`;
        const where = placeOf(sae)[words.lang];
        const size = [
          m === null ? '' : `m = ${m}`,
          k === null ? '' : `k = ${k}`,
          groups === undefined ? '' : words.groups(groups),
          routing === null ? '' : `${routing}, ${aggregation}`,
        ]
          .filter((text) => text !== '')
          .join(words.comma);
        const published =
          format === undefined || format === 'routesae'
            ? ''
            : words.semicolon +
              [format, hooks, normalization]
                .filter((text) => text !== null && text !== undefined)
                .join(words.comma);
        const left = positions === undefined ? null : words.positionsLeftOut(positions);
        return (
          `${label}${label === kind ? '' : ` (${kind})`}${words.separator}` +
          [kindNamed(kind).summary[words.lang], where, size]
            .filter((text) => text !== '')
            .join(words.semicolon) +
          published +
          (left === null ? '' : `${words.semicolon}${left}`)
        );
      }),
    },
  ];
}

/** Files that were read, by their content; of results of 0.1.0, by their paths alone. */
function filesSection({ config, results }: EvaluationResult, words: Words): Block[] {
  const { files } = config;
  return [
    heading(2, words.files, 'files'),
    files === undefined
      ? {
          kind: 'list',
          items: [
            config.model,
            config.dataset.path,
            ...new Set(results.map(({ checkpoint }) => checkpoint)),
          ],
        }
      : {
          kind: 'table',
          table: {
            caption: words.filesLine,
            numeric: false,
            head: [words.file, words.bytes, 'SHA-256'],
            rows: files.map(({ path, bytes, sha256, sampled }) => [
              cell(path),
              cell(whole(bytes), bytes),
              cell(
                sha256 === undefined
                  ? `${sampled?.slice(0, 16)} (${words.sampled})`
                  : sha256.slice(0, 16),
              ),
            ]),
          },
        },
  ];
}

export function appendixSections(result: EvaluationResult, words: Words): Block[] {
  const fields = protocolNames
    .filter((protocol) => result.config.protocol.includes(protocol))
    .flatMap((protocol) => fieldsOf(protocol))
    .filter((field) => result.results.some((sae) => valueOf(sae, field) !== null));
  const meanings = new Set(
    fields.map(
      ({ name, meaning }) => `${name[words.lang]}${words.separator}${meaning[words.lang]}`,
    ),
  );
  return [
    heading(2, words.metricsMean, 'metrics'),
    {
      kind: 'list',
      items: [...meanings],
    },
    ...filesSection(result, words),
    heading(2, words.again, 'again'),
    paragraph(words.againLine),
    { kind: 'code', language: 'json', text: JSON.stringify(requestOf(result), null, 2) },
    heading(2, words.versions, 'versions'),
    {
      kind: 'list',
      items: Object.entries(result.config.versions).map(([name, version]) => `${name} ${version}`),
    },
  ];
}
