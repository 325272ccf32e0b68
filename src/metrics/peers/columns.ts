/**
 * The sums per sequence and over the run from which the numbers of other tools are made.
 * Activations h and reconstructions ĥ are those of the language model, the SAE's normalization
 * undone.
 */
import type { Tensor } from '../../torch/index.js';
import type { PeerRules } from './protocols.js';

/** A reconstruction beside its activations, token by token: [N] each. */
export interface PeerTokens {
  squaredIn: Tensor;
  squaredOut: Tensor;
  squaredError: Tensor;
  /** h · ĥ. */
  product: Tensor;
  /** Latents above 0, latents that are not 0. */
  positive: Tensor;
  notZero: Tensor;
  /** Σ z, Σ |z|. */
  signed: Tensor;
  magnitudes: Tensor;
}

/** A column of sums over the counted positions of each sequence. */
export interface PeerColumn {
  readonly name: string;
  readonly meaning: string;
  readonly values: (tokens: PeerTokens, rules: PeerRules) => Tensor;
}

/** Norm below which a ratio of norms is divided by 1 instead. */
const smallNorm = 1e-4;

export const peerColumns = {
  normIn: {
    name: 'normIn',
    meaning: '‖h‖ of the activations',
    values: ({ squaredIn }) => squaredIn.sqrt(),
  },
  normOut: {
    name: 'normOut',
    meaning: '‖ĥ‖ of the reconstructions',
    values: ({ squaredOut }) => squaredOut.sqrt(),
  },
  normRatio: {
    name: 'normRatio',
    meaning: '‖ĥ‖ / ‖h‖ of each token',
    values: ({ squaredIn, squaredOut }) => {
      const norm = squaredIn.sqrt();
      return squaredOut.sqrt().div(norm.masked_fill(norm.lt(smallNorm), 1));
    },
  },
  squaredIn: {
    name: 'squaredIn',
    meaning: '‖h‖² of the activations',
    values: ({ squaredIn }) => squaredIn,
  },
  squaredOut: {
    name: 'squaredOut',
    meaning: '‖ĥ‖² of the reconstructions',
    values: ({ squaredOut }) => squaredOut,
  },
  squaredError: {
    name: 'squaredError',
    meaning: '‖ĥ − h‖² of activations and reconstructions',
    values: ({ squaredError }) => squaredError,
  },
  product: { name: 'product', meaning: 'h · ĥ of each token', values: ({ product }) => product },
  cosine: {
    name: 'cosine',
    meaning: 'h · ĥ / (‖h‖ ‖ĥ‖) of each token',
    values: ({ product, squaredIn, squaredOut }) =>
      product.div(squaredIn.sqrt()).div(squaredOut.sqrt()),
  },
  active: {
    name: 'active',
    meaning: 'active latents',
    values: ({ positive, notZero }, { l0 }) => (l0 === 'positive' ? positive : notZero),
  },
  l1: {
    name: 'l1',
    meaning: 'sum of the latents',
    values: ({ signed, magnitudes }, { l1 }) => (l1 === 'signed' ? signed : magnitudes),
  },
} as const satisfies Record<string, PeerColumn>;

/** Columns that are made at the end of a batch, of all of its tokens. */
export const batchColumns = {
  /** Σ (1 − ‖ĥ − h‖² / ‖h − h̄‖²), h̄ the mean of the batch. */
  legacy: { name: 'legacy', meaning: '1 − ‖ĥ − h‖² / ‖h − h̄‖², h̄ the mean of the batch' },
  batchVariance: { name: 'batchVariance', meaning: '‖h − h̄‖², h̄ the mean of the batch' },
} as const;

/** Columns of spliced passes and of passes with the site set to zero. */
export const passColumns = {
  kl: { name: 'kl', meaning: 'KL(clean ‖ spliced), in nats', over: 'positions' },
  ceSpliced: {
    name: 'ceSpliced',
    meaning: 'cross-entropy with the splice, in nats',
    over: 'nextPositions',
  },
  klZero: { name: 'klZero', meaning: 'KL(clean ‖ zero), in nats', over: 'positions' },
  ceZero: {
    name: 'ceZero',
    meaning: 'cross-entropy with the site set to zero, in nats',
    over: 'nextPositions',
  },
  cleanUnderflows: {
    name: 'cleanUnderflows',
    meaning: 'positions at which a probability of the clean pass is zero in its dtype',
    over: 'positions',
  },
  underflows: {
    name: 'underflows',
    meaning: 'positions at which a probability with the splice is zero in its dtype',
    over: 'positions',
  },
  zeroUnderflows: {
    name: 'zeroUnderflows',
    meaning: 'positions at which a probability with the site set to zero is zero in its dtype',
    over: 'positions',
  },
} as const satisfies Record<
  string,
  { name: string; meaning: string; over: 'positions' | 'nextPositions' }
>;

/** Sums over the run. */
export const peerVectors = {
  inputSum: { name: 'inputSum', meaning: 'over the run: the activations in each dimension' },
  firing: { name: 'firing', meaning: 'over the run: tokens on which each latent is active' },
  encoderCosine: {
    name: 'encoderCosine',
    meaning: 'mean over latents of the largest cosine with another encoder row',
  },
  decoderCosine: {
    name: 'decoderCosine',
    meaning: 'mean over latents of the largest cosine with another decoder row',
  },
} as const;

/** All columns, for those who list the sums of a run. */
export const allPeerColumns = [
  ...Object.values(peerColumns),
  ...Object.values(batchColumns),
  ...Object.values(passColumns),
];
