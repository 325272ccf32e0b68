/**
 * The description of an SAE: what it is, apart from how its file spells it. Everything that changes
 * a number is a field here. Loading, placing and evaluating follow the description and know no
 * format.
 */
import type { Checkpoint } from '../checkpoint/read.js';
import type { Bilingual, SaeKind } from '../schema/index.js';
import type { Tensor } from '../torch/index.js';
import type { ActivationFunction } from './latents.js';

/**
 * A matrix of the file. Transposed if `transpose`, the encoder is [d, m] and the decoder [m, d];
 * multiplied by `factor`.
 */
export interface Weight {
  tensor: string;
  transpose: boolean;
  factor?: number;
}

export type Normalization =
  | { kind: 'none' }
  /**
   * (h − mean) / (unbiased std + 1e-6) per token, in the language model's dtype; `· std + mean`.
   */
  | { kind: 'pre' }
  /**
   * (h − mean) / (unbiased std + epsilon) per token, in the SAE's dtype; undone by `· std + mean`.
   */
  | { kind: 'layer-norm'; epsilon: number }
  /** h · √d / ‖h‖ per token; undone by its inverse. */
  | { kind: 'token-norm' }
  /** h · factor; undone by ÷ factor. */
  | { kind: 'scale'; factor: number };

/** [m], one number for all latents, or a constant; `log`: the file holds the logarithm. */
export type Threshold = { tensor: string; log: boolean } | { value: number };

export type Activation =
  /** max(a, 0). `overrides: 'preactivations'`: inferK and theta choose among a, not max(a, 0). */
  | { kind: 'relu'; overrides?: 'preactivations' }
  /**
   * The k largest pre-activations, then max(·, 0) unless `signed`; `byMagnitude`: the k of the
   * largest magnitude, with their signs.
   */
  | { kind: 'topk'; k: number; signed?: boolean; byMagnitude?: boolean }
  /** max(a, 0) if a > threshold, else 0; a itself above the threshold if `signed`. */
  | { kind: 'jumprelu'; threshold: Threshold; signed?: boolean }
  /**
   * With e = W_e x and no bias: 1[e + gateBias > 0] · max(e · exp(logScale) + magnitudeBias, 0).
   */
  | { kind: 'gated'; gateBias: string; magnitudeBias: string; logScale: string }
  /**
   * Latents chosen one after the other among the rows of the decoder, which is the encoder too,
   * until the residual's norm is below the threshold, a latent is chosen again (if
   * `stopsAtRepetition`), or after `maxIterations`.
   */
  | {
      kind: 'matching-pursuit';
      residualThreshold: number;
      maxIterations: number;
      stopsAtRepetition: boolean;
    }
  /** An activation that one kind alone has, made from tensors of the file by their names. */
  | {
      kind: 'own';
      name: string;
      tensors: readonly string[];
      make(tensors: readonly Tensor[]): ActivationFunction;
    };

/** An activation of pre-activations: all but those that read the SAE's input itself. */
export type PointwiseActivation = Exclude<Activation, { kind: 'matching-pursuit' }>;

/**
 * `selection`: the activation chooses by a · ‖W_dec row‖ and the latents are z ÷ that norm.
 * `latents`: the latents keep the norm and the decoder divides by it.
 */
export type DecoderNorm = 'none' | 'selection' | 'latents';

interface Sizes {
  /** Width of the activations. */
  d: number;
  /** Number of latents. */
  m: number;
  activation: Activation;
  decoderNorm: DecoderNorm;
}

/**
 * An SAE on one hook point at a time. For activations h [N, d], less their mean over d if
 * `centered`: x = normalization(h); a = (x − decoderBias, if subtractDecoderBias) W_enc +
 * encoderBias; z = activation(a); x̂ = z W_dec + decoderBias; ĥ undoes the normalization.
 */
export interface DictionaryForm extends Sizes {
  form: 'dictionary';
  encoder: Weight;
  decoder: Weight;
  encoderBias: string | null;
  decoderBias: string | null;
  /** Number that the decoder bias is multiplied by; absent: 1. */
  decoderBiasFactor?: number;
  subtractDecoderBias: boolean;
  /** Gate of the pre-activations, a · sigmoid(x W + bias); null in nearly all. */
  glu: { weight: Weight; bias: string } | null;
  /**
   * Whether it was trained on a residual stream without its mean over d (TransformerLens'
   * center_writing_weights). The mean is added to the reconstruction.
   */
  centered: boolean;
  normalization: Normalization;
  /** Dtype that its library rounds the weights to when loading; absent if that changes nothing. */
  roundedTo?: 'bfloat16' | 'float16';
}

/** A dictionary behind a router that weighs the routed layers of each token. */
export interface RoutedForm extends Omit<DictionaryForm, 'form'> {
  form: 'routed';
  /** [R, d]. */
  router: string;
  aggregation: 'sum' | 'mean';
  routing: 'hard' | 'soft';
}

/**
 * A transcoder: it reads one site and predicts another. For activations h [N, d] of the site it
 * reads, x and z are a dictionary's; ŷ = z W_dec + decoderBias + h W_skip. Nothing of the input's
 * normalization is undone but a factor, by which the decoder's output is divided.
 */
export interface TranscoderForm extends Omit<DictionaryForm, 'form'> {
  form: 'transcoder';
  /** Width of the site that it predicts. */
  dOut: number;
  /** The linear way around the latents, [d, dOut] as it is used; null if there is none. */
  skip: Weight | null;
  /** Whether sources disagree on how the skip lies in the file, so that the data decide. */
  skipIsOpen?: boolean;
}

/** Names of the weight [out, in] and the bias [out] of a linear layer. */
export interface LinearLayer {
  weight: string;
  bias: string;
}

/** Attention over the latents of the tokens before. */
export interface AttentionLayer {
  query: LinearLayer;
  key: LinearLayer;
  value: LinearLayer;
  output: LinearLayer;
}

/**
 * A dictionary of what attention over the tokens before does not predict: its rows must be whole
 * sequences. See temporal.ts for what it computes; the decoder bias is always subtracted first.
 */
export interface TemporalForm extends Omit<DictionaryForm, 'form'> {
  form: 'temporal';
  attention: readonly AttentionLayer[];
  /** Heads of each attention layer. */
  heads: number;
}

/** A matrix for each site: tensors of their own, or one tensor with a dimension for the sites. */
export type SiteMatrices =
  { tensors: readonly string[]; transpose: boolean } | { tensor: string; sitesAt: 0 | 1 };

/**
 * A crosscoder over n sites: x [N, n, d]; a = Σ_j x_j W_enc[j] + encoderBias (summed over the sites
 * if it has two dimensions); z = activation(a), for each site by itself under a decoder norm;
 * x̂_j = z_j W_dec[j] + decoderBias[j].
 */
export interface CrosscoderForm extends Sizes {
  form: 'crosscoder';
  activation: PointwiseActivation;
  sites: number;
  encoder: SiteMatrices; // n × [d, m]
  decoder: SiteMatrices; // n × [m, d]
  encoderBias: string; // [m] or [n, m]
  decoderBias: string | null; // [n, d]
  /** Normalization of each site. */
  normalizations: readonly Normalization[];
}

/** One layer of a {@link CrossLayerForm}. */
export interface CrossLayerPart {
  encoder: Weight; // [d, m / n]
  encoderBias: string; // [m / n]
  activation: PointwiseActivation;
  /**
   * Decoders of the layers from `first` on, side by side: [m / n, layers, d]. Those of layers
   * before its own are passed over.
   */
  decoder: { tensor: string; first: number };
  decoderBias: string; // [d]
  skip: Weight | null; // [d, d]
}

/**
 * A cross-layer transcoder or weakly causal crosscoder over n layers: z_l = activation(x_l W_enc[l]
 * + encoderBias[l]); ŷ_ℓ = Σ_{l ≤ ℓ} z_l W_dec[l → ℓ] + decoderBias[ℓ] + x_ℓ W_skip[ℓ]. It reads
 * raw activations. `m` counts the latents of all layers; `activation` is the first layer's.
 */
export interface CrossLayerForm extends Sizes {
  form: 'cross-layer';
  layers: readonly CrossLayerPart[];
  /** Whether sources disagree on how the skips lie in the file, so that the data decide. */
  skipIsOpen?: boolean;
}

/** Forms that read one place at a time. */
export type OnePlaceForm = DictionaryForm | RoutedForm | TemporalForm | TranscoderForm;

export type SaeForm = OnePlaceForm | CrosscoderForm | CrossLayerForm;

/** Whether an SAE reads one place at a time. */
export const readsOnePlace = <Form extends SaeForm>(sae: Form): sae is Form & OnePlaceForm =>
  sae.form !== 'crosscoder' && sae.form !== 'cross-layer';

/** Whether an SAE predicts another place than it reads. */
export const isTranscoder = ({ form }: Pick<SaeForm, 'form'>): boolean =>
  form === 'transcoder' || form === 'cross-layer';

/** Place at which the SAE reads and writes, as far as its file tells. */
export type Place =
  /**
   * One hook point. `named`: its name in TransformerLens' or a module's words; null if the file has
   * none. A request may contradict a name that stands in the file's `path` or `name` only.
   * `suggests`: words of the path about a place that they do not determine. `out`: the hook point
   * that a transcoder predicts, null if the file names none; absent for other SAEs. `head`: the one
   * head of attention that it reads there, from 0; absent if it reads all of the place.
   */
  | {
      over: 'hook point';
      named: string | null;
      from: 'config' | 'path' | 'name';
      suggests?: string;
      out?: string | null;
      head?: number;
    }
  /**
   * A layer drawn by the seed. `named`: the hook point it was trained on, if the file names one.
   */
  | { over: 'drawn layer'; named: string | null }
  /** The model's routed range. `layers`: number of layers in the file; null if any number fits. */
  | { over: 'routed range'; layers: number | null }
  /** Several hook points of one model; `out`: those that it predicts, if they are others. */
  | { over: 'hook points'; named: readonly string[]; out?: readonly string[] }
  /** One hook point in each of several models. */
  | { over: 'models'; count: number };

/**
 * Positions that do not count, before the tokens are known. A position that any rule names is out.
 */
export interface Exclusion {
  /** Whether tokens that the tokenizer or the model calls special are out. */
  specials: boolean;
  /** Token ids that are out. */
  ids: readonly number[];
  /** Python's slice (from, to, step) of the positions that stay; null keeps all. */
  kept: readonly (number | null)[] | null;
}

export interface Described {
  /**
   * Name of the format, such as `saelens`; `routesae` for bare state dicts of the RouteSAE family.
   */
  format: string;
  checkpoint: Checkpoint;
  /** Path of the configuration beside the weights; null if there is none. */
  configPath: string | null;
  kind: SaeKind;
  place: Place;
  /** Positions that did not count when it was trained; absent if its file says nothing. */
  exclusion?: Exclusion;
  /** Whether each context began with a BOS when it was trained; absent if its file says nothing. */
  prependBos?: boolean;
  /**
   * Prefixes of a Matryoshka SAE's nested groups: increasing, the last of them m. Absent if its
   * file says nothing.
   */
  groups?: readonly number[];
  /** Reason why it can be loaded but not evaluated; absent in nearly all. */
  obstacle?: string;
  /** Facts in the names of its folders beside the hook point. */
  fromPath?: { width?: string; averageL0?: number };
  /** Mean number of active latents that its publisher states; absent if its files say nothing. */
  publishedL0?: number;
  /** Remarks for a report. */
  notes: readonly Bilingual[];
}

export type SaeDescription = Described & SaeForm;
export type DictionaryDescription = Described & DictionaryForm;
export type TemporalDescription = Described & TemporalForm;
export type CrosscoderDescription = Described & CrosscoderForm;

/** Normalizations of an SAE: one, or one for each site of a crosscoder. */
export function normalizationsOf(sae: SaeForm): readonly Normalization[] {
  if (sae.form === 'cross-layer') return [{ kind: 'none' }];
  return sae.form === 'crosscoder' ? sae.normalizations : [sae.normalization];
}

/** Number of latents that are active by construction; null without a fixed number. */
export function kOf({ activation }: Pick<SaeForm, 'activation'>): number | null {
  return activation.kind === 'topk' ? activation.k : null;
}

/** Hook points that a transcoder predicts, as the file names them; empty if it names none. */
export function hookPointsOutOf({ place }: Pick<Described, 'place'>): readonly string[] {
  if (place.over === 'hook points') return place.out ?? [];
  return place.over === 'hook point' && place.out ? [place.out] : [];
}

/** Hook points as the file names them; empty if it names none. */
export function hookPointsOf({ place }: Pick<Described, 'place'>): readonly string[] {
  if (place.over === 'hook points') return place.named;
  const one = place.over === 'hook point' || place.over === 'drawn layer' ? place.named : null;
  return one === null ? [] : [one];
}
