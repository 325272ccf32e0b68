/** Texts of reports in English. */
import { inMillions } from '../../summary/rules/compared.js';
import type { Words } from './words.js';

export const en: Words = {
  lang: 'en',
  title: 'Evaluation of sparse autoencoders',
  summary: 'Summary',
  summaryCaption: (protocol) =>
    protocol === 'strict'
      ? 'The numbers that matter, with 95 % intervals'
      : 'The numbers that matter',
  moreSaes: (count) => `${count} more SAEs stand in the tables of results.`,
  conclusions: 'Conclusions',
  contents: 'Contents',
  configuration: 'Configuration',
  resultsUnder: (protocol) => `Results, protocol ${protocol}`,
  protocolLine: {
    reference:
      'Agrees with the public PyTorch scripts: padded positions count, KL is summed over a ' +
      'sequence, and each value is the mean over batches.',
    strict:
      'Counts real tokens only, measures at the layer of the splice, and sums over the whole ' +
      'data set. Brackets hold 95 % bootstrap intervals.',
  },
  peers: {
    title: 'As SAELens and SAEBench count',
    line:
      'The same passes under the definitions of these tools, in the space of the language ' +
      "model's activations; a name with a version is a definition. The column strict has the " +
      'number of this report that is meant alike.',
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
  moreFindings: (count) => `${count} more stand in report.json.`,
  severity: { info: 'Note', warning: 'Warning', error: 'Error' },
  models: 'The SAEs',
  nearIdentityNote:
    'near-identity: more active latents than the input has dimensions; never marked.',
  bestNote:
    'Bold: the best of those that can be compared, with those that its paired interval cannot ' +
    'tell from it.',
  missing: (who, reason) => `No value (${who}): ${reason}`,
  perLayer: 'Layer by layer',
  sweeps: {
    sparsity: 'Sparsity sweep',
    prefixes: 'Nested prefixes',
    prefixesLine:
      'Each row is the SAE with its first latents alone, as many as the prefix says; the others ' +
      'are zero. Dead latents are a share of the prefix.',
    prefix: 'Prefix',
    whole: (m) => `${m} (whole)`,
    timesWhole: 'KL / whole',
  },
  comparisons: 'Differences between SAEs',
  comparisonsLine:
    'Paired differences under strict: both SAEs use the same resamples. If an ' +
    'interval contains 0, the two SAEs cannot be told apart.',
  value: 'Value',
  differenceTo: (base) => `Minus ${base}`,
  notToldFrom: 'Not to be told from',
  metricsMean: 'Meaning of the metrics',
  files: 'Files',
  filesLine: 'Files that were read; the first 16 digits of their digests',
  file: 'File',
  bytes: 'Bytes',
  sampled: 'of samples',
  again: 'How to run it again',
  againLine: 'This request gives the same numbers on the same kind of machine:',
  versions: 'Versions',
  field: {
    createdAt: 'Begun',
    model: 'Model',
    data: 'Text',
    samples: 'Samples',
    spliceSamples: 'Samples that were spliced',
    tokens: 'Real tokens',
    padded: 'Padded positions',
    batchSize: 'Batch size',
    name: 'Name',
    tags: 'Tags',
    notes: 'Notes',
    metadata: 'Metadata',
    split: 'Split',
    chunking: 'Chunking',
    seqLen: 'Sequence length',
    device: 'Device',
    dtype: 'Precision (model / SAE)',
    threads: 'Threads',
    microBatch: 'Computed at a time',
    seconds: 'Time taken',
    memory: 'Peak memory',
    override: 'Override',
    seed: 'Seed',
    intervals: 'Intervals',
  },
  architecture: ({ family, layers, width, parameters }) =>
    `${family}, ${layers} layers, width ${width}, ${inMillions(parameters)} parameters`,
  samples: (count, batches, batchSize) =>
    `${count} (${batches} ${batches === 1 ? 'batch' : 'batches'} of at most ${batchSize})`,
  intervals: (batches) =>
    batches === null
      ? 'bootstrap over sequences'
      : `bootstrap over ${batches} batches, as there are many samples`,
  overFirst: (samples, names) =>
    `Over the first ${samples} samples: ${names.join(', ')}; the rest is over all.`,
  tokenCount: (count) => `${count} tokens`,
  shuffled: (seed) => `shuffled with seed ${seed}`,
  atATime: (sequences, logits) =>
    `${sequences} ${sequences === 1 ? 'sequence' : 'sequences'}, ${logits} logits (a matter of ` +
    'memory: it changes no number)',
  took: (seconds, tokensPerSecond) => `${seconds} s (${tokensPerSecond} tokens per second)`,
  groups: (prefixes) => `nested groups ${prefixes.join(', ')}`,
  positionsLeftOut: ({ exclude, from, counted, real }) =>
    exclude.length === 0
      ? null
      : `strict counts ${counted} of ${real} real tokens ` +
        `(exclude: ${exclude.map((rule) => JSON.stringify(rule)).join(', ')}, by the ${from})`,
  layer: 'layer',
  layersColumn: 'Layers',
  saeColumn: 'SAE',
  splicedAt: 'spliced at',
  replacement: 'All layers replaced together',
  metricColumn: 'Metric',
  failed: (code, message) => `failed (${code}): ${message}`,
  separator: ': ',
  comma: ', ',
  semicolon: '; ',
  several: 'Comparison of evaluations',
  notComparable: (fields) =>
    `These evaluations differ in: ${fields.join(', ')}. Their numbers are not comparable, so no ` +
    'value is marked as the best.',
  charts: {
    title: 'Charts',
    errorAgainstKl: 'KL by reconstruction error',
    sparsityAgainstKl: 'KL by sparsity',
    frontier: 'Frontier of sparsity and KL',
    prefixKl: 'KL by prefix',
    prefixError: 'Reconstruction error by prefix',
    prefix: 'prefix (first latents)',
    perLayerError: 'Reconstruction error by layer',
    perLayerKl: 'KL by layer',
    routing: 'Routing of tokens to layers',
    density: 'Firing rates of latents',
    firingRate: 'log10 of the firing rate',
    latents: 'latents',
    table: 'The numbers',
  },
  chartDescription: (y, x, series) => `${y} by ${x} for ${series.join(', ')}`,
  theme: 'Light or dark',
  ownName: 'English',
  oneByOne: 'One by one',
};
