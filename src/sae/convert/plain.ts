/**
 * An SAE taken apart for writing it in another format: matrices as [d, m] and [m, d], one threshold
 * for each latent, factors and decoder norms multiplied in where that changes no number. Computed
 * in float64, so that what is written is rounded once.
 */
import { openTensors } from '../../checkpoint/tensors.js';
import { ops, type DType, type Tensor } from '../../torch/index.js';
import type {
  Activation,
  Described,
  DictionaryDescription,
  Exclusion,
  Normalization,
  Weight,
} from '../description.js';
import { smallestNorm } from '../latents.js';

export type PlainActivation =
  | { kind: 'relu' }
  /**
   * `byNorms`: chosen by pre-activations times the norms of decoder rows; `byMagnitude`: by their
   * magnitudes.
   */
  | { kind: 'topk'; k: number; signed: boolean; byNorms: boolean; byMagnitude: boolean }
  | { kind: 'jumprelu'; threshold: Tensor; signed: boolean } // [m]
  | { kind: 'gated'; gateBias: Tensor; magnitudeBias: Tensor; logScale: Tensor } // [m] each
  | Extract<Activation, { kind: 'matching-pursuit' }>;

export interface PlainSAE {
  d: number;
  m: number;
  encoder: Tensor; // [d, m]
  decoder: Tensor; // [m, d]
  encoderBias: Tensor; // [m]; zeros for gated
  decoderBias: Tensor; // [d]
  subtracts: boolean;
  centered: boolean;
  activation: PlainActivation;
  normalization: Exclude<Normalization, { kind: 'pre' | 'scale' }>;
  /** Positions that did not count when it was trained; null if its file says nothing. */
  exclusion: Exclusion | null;
  /** Whether contexts began with a BOS; null if its file says nothing. */
  prependBos: boolean | null;
  /** Prefixes of its nested groups. */
  groups?: readonly number[] | undefined;
  /** The one head of attention that it reads, from 0; null if it reads all of its place. */
  head: number | null;
}

/** The one head that an SAE reads; null for nearly all. */
export const headOf = ({ place }: Pick<Described, 'place'>): number | null =>
  place.over === 'hook point' ? (place.head ?? null) : null;

/** To be called in a scope. */
export function plainSAE(description: DictionaryDescription): PlainSAE {
  const {
    checkpoint,
    d,
    m,
    encoder,
    decoder,
    encoderBias,
    decoderBias,
    decoderBiasFactor = 1,
    subtractDecoderBias,
    decoderNorm,
    activation,
    normalization,
  } = description;
  const open = (name: string, dtype: DType): Tensor =>
    openTensors(checkpoint, { names: [name], dtype }).get(name)!;
  const { roundedTo } = description;
  const take = (name: string): Tensor =>
    roundedTo === undefined
      ? open(name, 'float64')
      : open(name, roundedTo).to({ dtype: 'float64' });
  const matrix = ({ tensor, transpose, factor }: Weight): Tensor => {
    const turned = transpose ? take(tensor).t() : take(tensor);
    return factor === undefined ? turned : turned.mul(factor);
  };
  const zeros = (size: number): Tensor => ops.zeros([size], { dtype: 'float64' });
  let W = matrix(encoder); // [d, m]
  let D = matrix(decoder); // [m, d]
  let b = encoderBias === null ? zeros(m) : take(encoderBias);
  const norms = ops.linalg_vector_norm(D, 2, [-1]).clamp_min(smallestNorm); // [m]
  if (decoderNorm === 'latents') {
    W = W.mul(norms);
    b = b.mul(norms);
    D = D.div(norms.unsqueeze(-1));
  }
  const plain = ((): PlainActivation => {
    switch (activation.kind) {
      case 'relu':
        return { kind: 'relu' };
      case 'matching-pursuit':
        return activation;
      case 'topk':
        return {
          kind: 'topk',
          k: activation.k,
          signed: activation.signed === true || activation.byMagnitude === true,
          byNorms: decoderNorm === 'selection',
          byMagnitude: activation.byMagnitude === true,
        };
      case 'gated':
        return {
          kind: 'gated',
          gateBias: take(activation.gateBias),
          magnitudeBias: take(activation.magnitudeBias),
          logScale: take(activation.logScale),
        };
      case 'own':
        throw new Error(`no format has the activation ${activation.name}`);
      case 'jumprelu': {
        const stored =
          'value' in activation.threshold
            ? ops.full([1], activation.threshold.value, { dtype: 'float64' })
            : take(activation.threshold.tensor);
        const linear =
          'log' in activation.threshold && activation.threshold.log ? stored.exp() : stored;
        // a · ‖W_d‖ > θ is a > θ / ‖W_d‖
        const threshold = decoderNorm === 'selection' ? linear.div(norms) : linear;
        return {
          kind: 'jumprelu',
          threshold: threshold.reshape([-1]).expand([m]),
          signed: activation.signed === true,
        };
      }
    }
  })();
  const B = decoderBias === null ? zeros(d) : take(decoderBias).mul(decoderBiasFactor);
  const base = {
    d,
    m,
    subtracts: subtractDecoderBias && decoderBias !== null,
    centered: description.centered,
    activation: plain,
    encoder: W,
    decoder: D,
    encoderBias: b,
    decoderBias: B,
    exclusion: description.exclusion ?? null,
    prependBos: description.prependBos ?? null,
    groups: description.groups,
    head: headOf(description),
  };
  if (normalization.kind === 'pre')
    return { ...base, normalization: { kind: 'layer-norm', epsilon: 1e-6 } };
  if (normalization.kind !== 'scale') return { ...base, normalization };
  const { factor } = normalization;
  return {
    ...base,
    encoder: W.mul(factor),
    decoder: D.div(factor),
    decoderBias: B.div(factor),
    normalization: { kind: 'none' },
  };
}
