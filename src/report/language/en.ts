import type { Dictionary } from './dictionary.js';

export const en: Dictionary = {
  title: 'Evaluation of sparse autoencoders',
  configuration: 'Configuration',
  results: 'Results',
  resultsUnder: (protocol) => `Results, protocol ${protocol}`,
  protocolLine: {
    reference:
      'Agrees with the public PyTorch scripts: padded positions count, KL is summed per ' +
      'sequence, the result is the mean over batches.',
    strict:
      'Real tokens only, measured where spliced, sums over the whole data set; in brackets ' +
      '95 % bootstrap intervals over sequences.',
  },
  findings: 'Findings',
  noFindings: 'No rule fired.',
  severity: { info: 'Note', warning: 'Warning', error: 'Error' },
  models: 'The SAEs',
  perLayer: 'Layer by layer',
  sweep: 'Sparsity sweep',
  comparisons: 'Differences between SAEs',
  comparisonsLine:
    'Paired: both SAEs on the same resampled sequences (strict). An interval that contains ' +
    '0 leaves the order open.',
  metricsMean: 'What the metrics mean',
  files: 'Files',
  again: 'How to run it again',
  againLine: 'This request gives the same numbers on the same kind of machine:',
  versions: 'Versions',
  notes: 'Why a value is n/a',
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
  metric: {
    NormMSE: {
      name: 'NormMSE',
      meaning:
        'squared error of the reconstruction over the squared norm of its input, mean over ' +
        'tokens; 0 is perfect, 1 is what the zero vector scores',
    },
    KLDiv: {
      name: 'KL divergence',
      meaning:
        'KL(clean ‖ spliced) of the next-token distributions, in nats summed over a ' +
        'sequence, padded positions included',
    },
    KLDivPerToken: {
      name: 'KL per token',
      meaning: 'KL(clean ‖ spliced) of the next-token distributions, in nats per real token',
    },
    KLDivPerSequence: {
      name: 'KL per sequence',
      meaning: 'the same sum for each sequence, real tokens only',
    },
    DeltaCE: {
      name: 'ΔCE',
      meaning: 'increase of the next-token cross-entropy by the splice, in nats per token',
    },
    Recovered: {
      name: 'Loss recovered',
      meaning:
        'share of the loss that zeroing the site would cost and the splice avoids; 1 is perfect',
    },
    ExplainedVariance: {
      name: 'Explained variance',
      meaning:
        '1 − squared error over the variance around the mean input; a predictor of the ' +
        'mean scores 0',
    },
    CosineSimilarity: {
      name: 'Cosine similarity',
      meaning: 'mean cosine between input and reconstruction',
    },
    L0: { name: 'L0', meaning: 'mean number of active latents per token' },
    L0OverHidden: {
      name: 'L0 / width',
      meaning:
        'L0 over the width of the residual stream; above 1 the code is larger than what it encodes',
    },
    DeadLatents: {
      name: 'Dead latents',
      meaning: 'share of latents that were never active in this run',
    },
    NormRatio: {
      name: 'Norm ratio',
      meaning:
        'norm of the reconstruction over the norm of its input; far from 1 betrays a wrong scale',
    },
    RoutedPositions: {
      name: 'Routed positions',
      meaning: 'positions that RouteSAE sends to each layer, padding included',
    },
    RoutingShare: {
      name: 'Routing share',
      meaning: 'share of real positions that RouteSAE sends to each layer',
    },
    DensityHistogram: {
      name: 'Density histogram',
      meaning: 'latents by the share of tokens on which they are active',
    },
  },
  kind: {
    TopK: 'keeps the k largest pre-activations of one layer',
    RouteSAE: 'a router picks, for each token, the layer that one shared TopK encodes',
    MLSAE: 'one TopK applied to each of several layers by itself',
    Vanilla: 'ReLU latents under an L1 penalty, one layer',
    Gated: 'one path decides which latents fire, another how strongly',
    JumpReLU: 'a learned threshold for each latent, one layer',
    Crosscoder: 'one set of latents reads and writes several layers',
    RandomK: "a TopK's file on a layer drawn by the seed: what a mismatched layer costs",
  },
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
    `These evaluations differ in: ${fields.join(', ')}. Their numbers answer different ` +
    'questions, so none is marked as the best.',
  charts: {
    title: 'Charts',
    errorAgainstKl: 'Reconstruction error against KL',
    sparsityAgainstKl: 'Sparsity against KL',
    frontier: 'The sparsity–KL frontier',
    perLayerError: 'Reconstruction error, layer by layer',
    perLayerKl: 'KL, layer by layer',
    routing: 'Where tokens are routed',
    density: 'How often latents fire',
    firingRate: 'log10 of the firing rate',
    latents: 'latents',
    table: 'The numbers',
  },
  chartDescription: (y, x, series) => `${y} by ${x} for ${series.join(', ')}`,
  reading: 'Reading the table',
  recommendations: 'What follows',
  groups: {
    baseline: {
      title: 'The baseline',
      line: 'A trained dictionary on a layer it may not belong to: what a mismatched layer costs.',
    },
    standard: {
      title: 'Standard and gated',
      line: 'One layer, no fixed number of active latents: read the error together with L0.',
    },
    routing: {
      title: 'TopK against RouteSAE',
      line: 'The same number of active latents; one fixed layer against a layer for each token.',
    },
    multiLayer: {
      title: 'Several layers',
      line: 'Means over the layers; each layer is listed under "Layer by layer".',
    },
  },
  nats: 'nats',
  mostFaithful: (label, kl, l0, nearIdentities) =>
    `The predictions stay closest with ${label}: ${kl} nats per token at an L0 of ` +
    `${l0}` +
    (nearIdentities === 0 ? '' : `, leaving out ${nearIdentities} near-identities`) +
    '.',
  bestAtSparsest: (label, kl, l0) =>
    `Among the sparsest, ${label} is the most faithful: ${kl} nats per token at an L0 of ${l0}.`,
  theme: 'Light or dark',
  otherLanguage: '中文',
};
