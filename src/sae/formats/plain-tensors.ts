/**
 * The parts of a plain SAE among the tensors of a state dict: their names, and by shapes the
 * orientation of its matrices.
 */
import { weightDtypes } from '../../checkpoint/dtypes.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { SaeEvalError } from '../../errors.js';
import type { Weight } from '../description.js';
import type { Tensors } from './tensors.js';

type Shape = readonly [number, number];

export interface PlainParts {
  d: number;
  m: number;
  encoder: Weight;
  decoder: Weight;
  encoderBias: string | null;
  decoderBias: string | null;
  /** Whether the libraries that use these names subtract the decoder bias first. */
  preBias: boolean;
  /** Whether both matrices lie the other way around than their names have them elsewhere. */
  turned: boolean;
  threshold: { name: string; log: boolean } | null;
  gates: { gateBias: string; magnitudeBias: string; logScale: string } | null;
  /** Name of a tensor with the number of active latents. */
  k: string | null;
  /** Names of all of them. */
  names: readonly string[];
}

/** Weights of linear layers: the encoder is [m, d], the decoder [d, m]. */
const linear = {
  encoder: ['encoder.weight', 'encoder_linear.weight', 'enc.weight', 'encoder.linear.weight'],
  decoder: ['decoder.weight', 'decoder_linear.weight', 'dec.weight', 'decoder.linear.weight'],
};
/** Matrices that activations are multiplied by: the encoder is [d, m], the decoder [m, d]. */
const bare = {
  encoder: ['W_enc', 'w_enc', 'W_E', 'encoder', 'enc'],
  decoder: ['W_dec', 'w_dec', 'W_D', 'decoder', 'dec'],
};
/** Names of encoders. */
export const encoderNames: readonly string[] = [...linear.encoder, ...bare.encoder];
const encoderBiases = [
  ...['encoder.bias', 'encoder_linear.bias', 'enc.bias', 'encoder.linear.bias'],
  ...['b_enc', 'b_E', 'encoder_bias', 'enc_bias', 'latent_bias'],
];
const decoderBiases = [
  ...['decoder.bias', 'decoder_linear.bias', 'dec.bias', 'decoder.linear.bias'],
  ...['b_dec', 'b_D', 'decoder_bias', 'dec_bias', 'bias'],
];
/** Biases that their names say are subtracted from the input, and added to the output. */
const preBiases = ['pre_bias', 'pre_encoder_bias', 'b_pre', 'pre_encoder_b'];
/**
 * Biases that the libraries with these names subtract: SAELens `b_dec`, dictionary_learning `bias`,
 * and `decoder_bias` beside gates. Their JumpReLUs, with a threshold for each latent, do not, nor
 * does Gemma Scope.
 */
const subtractedBiases = ['b_dec', 'bias'];
const thresholds = ['threshold', 'activation.threshold', 'jumprelu.threshold'];
const logThresholds = ['log_threshold', 'log_jumprelu_threshold', 'jumprelu.log_threshold'];
const gateBiases = ['b_gate', 'gate_bias'];
const magnitudeBiases = ['b_mag', 'mag_bias'];
const scales = ['r_mag'];

/** Whether both matrices are there, and no tensor that only the RouteSAE family has. */
export function looksPlain({ entries, opaque }: Checkpoint): boolean {
  const has = (names: readonly string[]): boolean =>
    names.some((name) => entries.has(name) || opaque.has(name));
  return (
    has([...linear.encoder, ...bare.encoder]) &&
    has([...linear.decoder, ...bare.decoder]) &&
    !has(['router.weight']) &&
    !(has(['latent_bias']) && has(['pre_bias'])) &&
    !(has(gateBiases) && has(['pre_bias']))
  );
}

/** Sizes by the orientation that names give, [d, m]. */
const byName = ([first, second]: Shape, isLinear: boolean): Shape =>
  isLinear ? [second, first] : [first, second];

/** The vectors of a state dict that tell its sizes. */
interface Vectors {
  /** Name of one with an element for each latent. */
  latents: string | null;
  /** Name of one with an element for each dimension. */
  dimensions: string | null;
}

/** [d, m] of an encoder: a linear layer's by its name, another's by biases, else d ≤ m. */
function sizesOf(tensors: Tensors, encoder: string, isLinear: boolean, vectors: Vectors): Shape {
  const shape = tensors.matrix(encoder, isLinear ? '[m, d]' : '[d, m]');
  const [d, m] = byName(shape, isLinear);
  if (isLinear || d === m) return [d, m];
  const latents = vectors.latents === null ? null : tensors.shape(vectors.latents);
  const dimensions = vectors.dimensions === null ? null : tensors.shape(vectors.dimensions);
  if (latents?.length === 1 && shape.includes(latents[0]!))
    return latents[0] === m ? [d, m] : [m, d];
  if (dimensions?.length === 1 && shape.includes(dimensions[0]!))
    return dimensions[0] === d ? [d, m] : [m, d];
  return m > d ? [d, m] : [m, d];
}

/** A matrix of that meaning, [rows, columns] or transposed. */
function weightOf(
  tensors: Tensors,
  name: string,
  [rows, columns]: Shape,
  isLinear: boolean,
): Weight {
  const shape = tensors.matrix(name, isLinear ? '[out, in]' : '[in, out]');
  const straight = shape[0] === rows && shape[1] === columns;
  const turned = shape[0] === columns && shape[1] === rows;
  if (!straight && !turned)
    throw new SaeEvalError(
      'checkpoint-shape',
      `${tensors.checkpoint.path}: expected '${name}' of shape [${rows}, ${columns}] or ` +
        `[${columns}, ${rows}], found [${shape.join(', ')}].`,
    );
  return { tensor: name, transpose: straight && turned ? isLinear : turned };
}

/**
 * The parts of a plain SAE.
 * @throws SaeEvalError `checkpoint-keys` or `checkpoint-shape` if its tensors make none.
 */
export function findParts(tensors: Tensors): PlainParts {
  const { path, entries, opaque } = tensors.checkpoint;
  const present = (names: readonly string[]): string[] =>
    names.filter((name) => entries.has(name) || opaque.has(name));
  const one = (what: string, names: readonly string[]): string | null => {
    const [found, other] = present(names);
    if (other !== undefined)
      throw new SaeEvalError(
        'checkpoint-keys',
        `${path}: expected one ${what}, found '${found}' and '${other}'.`,
      );
    return found ?? null;
  };
  const matrix = (what: 'encoder' | 'decoder'): { name: string; isLinear: boolean } => {
    const name = one(what, [...linear[what], ...bare[what]]);
    if (name === null) {
      tensors.shape(linear[what][0]!); // says what there is instead
      throw new SaeEvalError('internal', `${path}: has no ${what}.`);
    }
    return { name, isLinear: linear[what].includes(name) };
  };
  const encoder = matrix('encoder');
  const decoder = matrix('decoder');
  const encoderBias = one('encoder bias', encoderBiases);
  const decoderBias = one('decoder bias', [...decoderBiases, ...preBiases]);
  const threshold = one('threshold', [...thresholds, ...logThresholds]);
  const gate = [gateBiases, magnitudeBiases, scales].map((names) => one('gate', names));
  const isGated = gate.some((name) => name !== null);
  const dimensions = decoderBias;
  const latents = encoderBias ?? gate[0] ?? threshold;
  const [d, m] = sizesOf(tensors, encoder.name, encoder.isLinear, { latents, dimensions });
  if (encoderBias !== null) tensors.vector(encoderBias, [m]);
  if (decoderBias !== null) tensors.vector(decoderBias, [d]);
  if (threshold !== null) tensors.threshold(threshold, m);
  if (isGated) {
    const wanted = ['b_gate', 'b_mag', 'r_mag'] as const;
    gate.forEach((name, i) => tensors.vector(name ?? wanted[i]!, [m]));
    const clash = encoderBias ?? threshold;
    if (clash !== null)
      throw new SaeEvalError(
        'checkpoint-keys',
        `${path}: '${gate[0]}' makes it a Gated SAE, which has no '${clash}'.`,
      );
  }
  const hasThresholds = threshold !== null && tensors.shape(threshold).some((size) => size > 1);
  const k = entries.get('k');
  const isCount =
    k !== undefined && !weightDtypes.includes(k.dtype) && k.shape.every((size) => size === 1);
  const [gateBias, magnitudeBias, logScale] = gate as [string, string, string];
  const weights = {
    encoder: weightOf(tensors, encoder.name, [d, m], encoder.isLinear),
    decoder: weightOf(tensors, decoder.name, [m, d], decoder.isLinear),
  };
  return {
    d,
    m,
    ...weights,
    turned:
      [encoder, decoder].every(({ isLinear }) => !isLinear) &&
      Object.values(weights).every(({ transpose }) => transpose),
    encoderBias,
    decoderBias,
    preBias:
      decoderBias !== null &&
      (preBiases.includes(decoderBias) ||
        (isGated && decoderBias === 'decoder_bias') ||
        (subtractedBiases.includes(decoderBias) && !hasThresholds)),
    threshold:
      threshold === null ? null : { name: threshold, log: logThresholds.includes(threshold) },
    gates: isGated ? { gateBias, magnitudeBias, logScale } : null,
    k: isCount ? 'k' : null,
    names: [
      ...[encoder.name, decoder.name, encoderBias, decoderBias, threshold, ...gate],
      isCount ? 'k' : null,
    ].filter((name) => name !== null),
  };
}
