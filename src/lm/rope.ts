/**
 * Rotary position embeddings (Su et al. 2021, arXiv:2104.09864) with the scalings that lengthen the
 * context: linear interpolation, dynamic NTK, YaRN (arXiv:2309.00071), LongRoPE (arXiv:2402.13753),
 * Llama 3's by wavelength.
 *
 * Frequencies and angles are computed in float32 by the operators of transformers, in the same
 * order, so that angles at far positions round alike.
 */
import { arange, keep, ops, scope, tensor, type DType, type Tensor } from '../torch/index.js';
import type { RopeConfig } from './rope-config.js';

/** Cosines and sines of T positions and the rotated dimensions of a head, [T, dim] each. */
export interface RopeTable {
  cos: Tensor;
  sin: Tensor;
}

/** θ^(−2i/dim): [dim/2]. */
function inverseFrequencies(theta: number, dim: number): Tensor {
  return ops.pow(theta, ops.arange(0, dim, 2).to({ dtype: 'float32' }).div(dim)).reciprocal();
}

/** YaRN: low frequencies are interpolated, high ones kept, with a linear ramp between. */
function yarnFrequencies(
  { theta, dim }: RopeConfig,
  {
    factor,
    betaFast,
    betaSlow,
    originalPositions,
    truncate,
  }: Extract<RopeConfig['scaling'], { kind: 'yarn' }>,
): Tensor {
  const correctionDim = (rotations: number): number =>
    (dim * Math.log(originalPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const low = Math.max(truncate ? Math.floor(correctionDim(betaFast)) : correctionDim(betaFast), 0);
  const rounded = Math.min(
    truncate ? Math.ceil(correctionDim(betaSlow)) : correctionDim(betaSlow),
    dim - 1,
  );
  const high = rounded === low ? rounded + 0.001 : rounded;
  const extrapolated = inverseFrequencies(theta, dim);
  const interpolated = extrapolated.div(factor);
  const keep = ops
    .arange(Math.ceil(dim / 2), { dtype: 'float32' })
    .sub(low)
    .div(high - low)
    .clamp(0, 1)
    .neg()
    .add(1);
  return interpolated.mul(keep.neg().add(1)).add(extrapolated.mul(keep));
}

function llama3Frequencies(
  { theta, dim }: RopeConfig,
  {
    factor,
    lowFreqFactor,
    highFreqFactor,
    originalPositions,
  }: Extract<RopeConfig['scaling'], { kind: 'llama3' }>,
): Tensor {
  const plain = inverseFrequencies(theta, dim);
  const wavelength = plain.reciprocal().mul(2 * Math.PI);
  const long = wavelength.gt(originalPositions / lowFreqFactor);
  const short = wavelength.lt(originalPositions / highFreqFactor);
  const smooth = wavelength
    .reciprocal()
    .mul(originalPositions)
    .sub(lowFreqFactor)
    .div(highFreqFactor - lowFreqFactor);
  const between = smooth.neg().add(1).mul(plain).div(factor).add(smooth.mul(plain));
  return ops.where(long, plain.div(factor), ops.where(short, plain, between));
}

/**
 * Rotations per position, and the factor on cosines and sines. Some scalings depend on `seqLen`.
 */
function frequencies(rope: RopeConfig, seqLen: number): { inverse: Tensor; attention: number } {
  const { theta, dim, scaling } = rope;
  switch (scaling.kind) {
    case 'default':
      return { inverse: inverseFrequencies(theta, dim), attention: 1 };
    case 'linear':
      return { inverse: inverseFrequencies(theta, dim).div(scaling.factor), attention: 1 };
    case 'dynamic': {
      const { factor, maxPositions } = scaling;
      const grown = (factor * Math.max(seqLen, maxPositions)) / maxPositions - (factor - 1);
      return { inverse: inverseFrequencies(theta * grown ** (dim / (dim - 2)), dim), attention: 1 };
    }
    case 'yarn':
      return { inverse: yarnFrequencies(rope, scaling), attention: scaling.attentionFactor };
    case 'longrope': {
      const factors = tensor([
        ...(seqLen > scaling.originalPositions ? scaling.longFactor : scaling.shortFactor),
      ]);
      return {
        inverse: inverseFrequencies(theta, dim).div(factors),
        attention: scaling.attentionFactor,
      };
    }
    case 'llama3':
      return { inverse: llama3Frequencies(rope, scaling), attention: 1 };
  }
}

/**
 * Table of positions 0…T−1, computed in float32 and cast to the model's dtype. The caller disposes
 * its tensors.
 */
export function ropeTable(
  rope: RopeConfig,
  { T, seqLen, device, dtype }: { T: number; seqLen: number; device: string; dtype: DType },
): RopeTable {
  return scope(() => {
    const { inverse, attention } = frequencies(rope, seqLen);
    const half = ops.outer(arange(T, { dtype: 'float32' }), inverse); // [T, dim/2]
    const angles = ops.cat([half, half], -1); // [T, dim]
    return {
      cos: angles.cos().mul(attention).to({ dtype }).to({ device, nonBlocking: true }),
      sin: angles.sin().mul(attention).to({ dtype }).to({ device, nonBlocking: true }),
    };
  });
}

/** Lengths of sequences whose tables are kept. */
const mostLengths = 4;

/** The tables of a model, each made once and kept on its device. */
export class RopeTables {
  readonly #ropes: readonly RopeConfig[];
  readonly #tables = new Map<number, readonly RopeTable[]>();

  constructor(
    ropes: Iterable<RopeConfig>,
    private readonly options: { device: string; dtype: DType },
  ) {
    this.#ropes = [...new Set(ropes)];
  }

  indexOf(rope: RopeConfig): number {
    return this.#ropes.indexOf(rope);
  }

  /** Table of the positions of sequences of a length: [seqLen, dim]. */
  of(rope: RopeConfig, seqLen: number): RopeTable {
    let tables = this.#tables.get(seqLen);
    if (tables === undefined) {
      if (this.#tables.size === mostLengths) this.#forget([...this.#tables.keys()][0]!);
      tables = scope(() =>
        this.#ropes.map((one) => ropeTable(one, { T: seqLen, seqLen, ...this.options })),
      );
      for (const { cos, sin } of tables) for (const one of [cos, sin]) keep(one);
      this.#tables.set(seqLen, tables);
    }
    return tables[this.indexOf(rope)]!;
  }

  #forget(seqLen: number): void {
    for (const { cos, sin } of this.#tables.get(seqLen) ?? []) {
      cos.dispose();
      sin.dispose();
    }
    this.#tables.delete(seqLen);
  }

  dispose(): void {
    for (const seqLen of [...this.#tables.keys()]) this.#forget(seqLen);
  }
}

/** Rotates the pairs (i, i + dim/2) of each head, i < dim/2: x [b, T, H, head_dim]. */
export function rotate(x: Tensor, { cos, sin }: RopeTable): Tensor {
  const dim = cos.shape[1]!;
  const headDim = x.shape[3]!;
  const turned = dim === headDim ? x : x.narrow(-1, 0, dim);
  const [first, second] = turned.chunk(2, -1) as [Tensor, Tensor];
  const result = turned
    .mul(cos.unsqueeze(1))
    .addcmul_(ops.cat([second.neg(), first], -1), sin.unsqueeze(1));
  return dim === headDim ? result : ops.cat([result, x.narrow(-1, dim, headDim - dim)], -1);
}

/**
 * Heads whose rotated dimensions 2i and 2i + 1 belong together, in the order of {@link rotate}: the
 * even ones, then the odd ones. Products of queries and keys stay the same.
 */
export function pairsToHalves(x: Tensor, rotated: number): Tensor {
  const headDim = x.shape[3]!;
  const dim = rotated + (rotated % 2); // an odd number counts as the next even one
  const pairs = dim === headDim ? x : x.narrow(-1, 0, dim);
  const halves = pairs.unflatten(-1, [-1, 2]).transpose(-1, -2).flatten(-2);
  return dim === headDim ? halves : ops.cat([halves, x.narrow(-1, dim, headDim - dim)], -1);
}
