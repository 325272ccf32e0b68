/** Texts of reports in English. */
import type { Words } from './words.js';

export const en: Words = {
  lang: 'en',
  title: 'Evaluation of sparse autoencoders',
  configuration: 'Configuration',
  resultsUnder: (protocol) => `Results, protocol ${protocol}`,
  protocolLine: {
    reference:
      'Agrees with the public PyTorch scripts: padded positions count, KL is summed over a ' +
      'sequence, and each value is the mean over batches.',
    strict:
      'Counts real tokens only, measures at the layer of the splice, and sums over the whole ' +
      'data set. Brackets hold 95 % bootstrap intervals over sequences.',
  },
  losses: {
    title: 'Text that was left out',
    reason: 'Reason',
    count: 'Count',
    first: 'First example',
    skipped: (skipped, records) =>
      `${skipped}${records === null ? '' : ` of ${records}`} records were skipped; the numbers ` +
      'are of the others.',
    truncated: (tokens, share) =>
      `${tokens} tokens (${share}) were cut off at the sequence length.`,
  },
  findings: 'Findings',
  noFindings: 'No rule fired.',
  severity: { info: 'Note', warning: 'Warning', error: 'Error' },
  models: 'The SAEs',
  perLayer: 'Layer by layer',
  sweep: 'Sparsity sweep',
  comparisons: 'Differences between SAEs',
  comparisonsLine:
    'Paired differences under strict: both SAEs use the same resampled sequences. If an ' +
    'interval contains 0, the order of the two SAEs is open.',
  metricsMean: 'Meaning of the metrics',
  files: 'Files',
  again: 'How to run it again',
  againLine: 'This request gives the same numbers on the same kind of machine:',
  versions: 'Versions',
  field: {
    createdAt: 'Time',
    model: 'Model',
    data: 'Text',
    samples: 'Samples',
    tokens: 'Real tokens',
    padded: 'Padded positions',
    batchSize: 'Batch size',
    seqLen: 'Sequence length',
    device: 'Device',
    dtype: 'Precision (model / SAE)',
    threads: 'Threads',
    microBatch: 'Micro-batch',
    seconds: 'Time taken',
    memory: 'Peak memory',
    override: 'Override',
    seed: 'Seed',
  },
  positionsLeftOut: ({ exclude, from, counted, real }) =>
    exclude.length === 0
      ? null
      : `strict counts ${counted} of ${real} real tokens ` +
        `(exclude: ${exclude.map((rule) => JSON.stringify(rule)).join(', ')}, by the ${from})`,
  layer: 'layer',
  layers: 'layers',
  splicedAt: 'spliced at',
  metricColumn: 'Metric',
  pair: 'Pair',
  difference: 'Difference',
  failed: (code, message) => `failed (${code}): ${message}`,
  separator: ': ',
  several: 'Comparison of evaluations',
  notComparable: (fields) =>
    `These evaluations differ in: ${fields.join(', ')}. Their numbers are not comparable, so no ` +
    'value is marked as the best.',
  charts: {
    title: 'Charts',
    errorAgainstKl: 'KL by reconstruction error',
    sparsityAgainstKl: 'KL by sparsity',
    frontier: 'Frontier of sparsity and KL',
    perLayerError: 'Reconstruction error by layer',
    perLayerKl: 'KL by layer',
    routing: 'Routing of tokens to layers',
    density: 'Firing rates of latents',
    firingRate: 'log10 of the firing rate',
    latents: 'latents',
    table: 'The numbers',
  },
  chartDescription: (y, x, series) => `${y} by ${x} for ${series.join(', ')}`,
  reading: 'Reading the table',
  recommendations: 'Conclusions',
  groups: {
    baseline: {
      title: 'The baseline',
      line:
        'A trained dictionary on a layer that it may not belong to shows the cost of a ' +
        'mismatched layer.',
    },
    standard: {
      title: 'Standard and gated',
      line:
        'These kinds read one layer and have no fixed number of active latents: read the error ' +
        'together with L0.',
    },
    routing: {
      title: 'TopK against RouteSAE',
      line:
        'With the same number of active latents, TopK reads one fixed layer and RouteSAE picks a ' +
        'layer for each token.',
    },
    multiLayer: {
      title: 'Several layers',
      line: 'Values are means over the layers; the section "Layer by layer" lists each layer.',
    },
  },
  nats: 'nats',
  mostFaithful: ({ label, kl, l0, nearIdentities }) =>
    `${label} changes predictions least: ${kl} nats per token at L0 ${l0}` +
    (nearIdentities.length === 0
      ? '.'
      : ` (near-identity SAEs excluded: ${nearIdentities.join(', ')}).`),
  bestAtSparsest: ({ label, kl, l0 }) =>
    `Among the sparsest SAEs, ${label} changes predictions least: ${kl} nats per token at L0 ` +
    `${l0}.`,
  theme: 'Light or dark',
  otherLanguage: '中文',
};
