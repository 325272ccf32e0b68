/** A kind of SAE: its facts, and the layout of its files in the RouteSAE family. */
import type { Bilingual } from '../../bilingual.js';
import type { Activation, CrosscoderForm, DictionaryForm, RoutedForm } from '../description.js';

/**
 * Sizes of an SAE: `d` width of the residual stream, `m` number of latents, `R` number of routed
 * layers (null for kinds on one layer at a time).
 */
export interface SaeSizes {
  d: number;
  m: number;
  R: number | null;
}

/** Shapes of a file's tensors by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** Settings of a request that no file of the family holds. */
export interface FamilySettings {
  k: number;
  aggregation?: 'sum' | 'mean' | undefined;
  routing?: 'hard' | 'soft' | undefined;
}

/** Forms of the RouteSAE family's SAEs. */
export type FamilyForm = DictionaryForm | RoutedForm | CrosscoderForm;

export interface Kind {
  kind: string;
  /** One line for `/v1/kinds`, the page and reports. */
  summary: Bilingual;
  /** Group of a report in which it is compared. */
  group: 'baseline' | 'standard' | 'routing' | 'multiLayer';
  /**
   * `required`: a layer of 1…L must be given; `drawn`: the seed draws it unless it is given;
   * `routed`: the routed range of the model.
   */
  layer: 'required' | 'drawn' | 'routed';
  /** Whether a number of active latents must be given. */
  hasK: boolean;
  hasRouting: boolean;
  /** Name of the tensor whose shape [m, d] gives the sizes. */
  sizesFrom: string;
  /** Number of routed layers that a file holds; left out for kinds whose files hold none. */
  routedLayers?(shapes: Shapes): number | null;
  /** Names and shapes of all tensors of a file. */
  tensors(sizes: SaeSizes): Record<string, readonly number[]>;
  form(sizes: SaeSizes, settings: FamilySettings): FamilyForm;
}

/** Tensors of the kinds with one encoder, one decoder and the biases given. */
export function dictionaryTensors(
  { d, m }: SaeSizes,
  biases: readonly string[] = ['latent_bias'],
): Record<string, readonly number[]> {
  return {
    pre_bias: [d],
    ...Object.fromEntries(biases.map((name) => [name, [m]])),
    'encoder.weight': [m, d],
    'decoder.weight': [d, m],
  };
}

/**
 * The family's dictionary: `a = W_e (x − pre_bias) + latent_bias; x̂ = W_d z + pre_bias` behind
 * `pre(h)`.
 */
export function dictionaryForm(
  { d, m }: SaeSizes,
  activation: Activation,
  { prefix = '', encoderBias = true } = {},
): DictionaryForm {
  return {
    form: 'dictionary',
    d,
    m,
    encoder: { tensor: `${prefix}encoder.weight`, transpose: true },
    decoder: { tensor: `${prefix}decoder.weight`, transpose: true },
    encoderBias: encoderBias ? `${prefix}latent_bias` : null,
    decoderBias: `${prefix}pre_bias`,
    subtractDecoderBias: true,
    glu: null,
    centered: false,
    activation,
    decoderNorm: 'none',
    normalization: { kind: 'pre' },
  };
}
