/**
 * What a published SAE is, apart from how its files spell it. Everything that changes a number is a field here; evaluation
 * follows the description and knows no format.
 *
 * For h [N, d]: x = normalization(h); a = (x − decoderBias if subtractDecoderBias) W_enc + encoderBias; z = activation(a);
 * x̂ = z W_dec + decoderBias (+ x W_skip); ĥ undoes the normalization.
 */
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../read.js';

export type SaeSource = 'saelens' | 'dictionary_learning' | 'sparsify' | 'gemma-scope' | 'llama-scope' | 'openmoss' | 'openai' | 'mlsae';

/** A matrix of the file. Transposed if `transpose`, the encoder is [d, m] and the decoder [m, d]. */
export interface Weight {
  tensor: string;
  transpose: boolean;
}

export type Normalization =
  | { kind: 'none' }
  /** (h − mean) / (unbiased std + epsilon) per token; undone by · std + mean. */
  | { kind: 'layer-norm'; epsilon: number }
  /** h · √d / ‖h‖ per token; undone by its inverse. */
  | { kind: 'token-norm' }
  /** h · factor; undone by ÷ factor. */
  | { kind: 'scale'; factor: number }
  /** h · √d / the tensor's only value; undone by its inverse. */
  | { kind: 'average-norm'; tensor: string };

export type Activation =
  | { kind: 'relu' }
  /** The k largest pre-activations, then max(·, 0). */
  | { kind: 'topk'; k: number }
  /** max(a, 0) where a > threshold, else 0. The threshold is a tensor ([m], or one number for all latents) or a constant. */
  | { kind: 'jumprelu'; threshold: { tensor: string; log: boolean } | { value: number } }
  /** e = (x − decoderBias) W_enc without a bias; 1[e + gateBias > 0] · max(e · exp(logScale) + magnitudeBias, 0). */
  | { kind: 'gated'; gateBias: string; magnitudeBias: string; logScale: string };

export interface SaeDescription {
  source: SaeSource;
  checkpoint: Checkpoint;
  d: number;
  m: number;
  encoder: Weight;
  decoder: Weight;
  encoderBias: string | null;
  decoderBias: string | null;
  subtractDecoderBias: boolean;
  activation: Activation;
  /**
   * `selection`: the activation's choice is made on a · ‖W_dec row‖, the latents are z ÷ that norm. `latents`: the latents keep
   * the norm and the decoder divides by it.
   */
  decoderNorm: 'none' | 'selection' | 'latents';
  /** [d, d] added to the reconstruction as x W_skip; null in nearly all. */
  skip: Weight | null;
  normalization: Normalization;
  /** As the file names it; null where it says nothing. */
  hookPoint: string | null;
  /** 1…L where the hook point is the output of a block, 0 for the embeddings; null elsewhere. */
  layer: number | null;
  /** What a report should say of it. */
  notes: string[];
}

/** What a request can say that a file does not. */
export interface GivenSettings {
  /** The factor of the input, where it was not saved or is disputed. */
  scale?: number;
  k?: number;
  layer?: number;
}

/** Looks up tensors by name and checks their shapes. */
export class Tensors {
  constructor(readonly checkpoint: Checkpoint) {}

  has(name: string): boolean {
    return this.checkpoint.entries.has(name);
  }

  /** The shape of a tensor. @throws SaeEvalError `checkpoint-keys`. */
  shape(name: string): number[] {
    const entry = this.checkpoint.entries.get(name);
    if (entry !== undefined) return entry.shape;
    const found = [...this.checkpoint.entries.keys()].slice(0, 12).map((key) => `'${key.slice(0, 60)}'`).join(', ');
    throw new SaeEvalError('checkpoint-keys', `${this.checkpoint.path}: expected a tensor '${name}', found ${found || 'none'}.`);
  }

  /** Its name, with the shape checked. @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`. */
  vector(name: string, ...shapes: number[][]): string {
    const shape = this.shape(name);
    if (!shapes.some((expected) => expected.length === shape.length && expected.every((size, i) => size === shape[i]))) {
      throw new SaeEvalError('checkpoint-shape', `${this.checkpoint.path}: expected '${name}' of shape ${shapes.map((expected) => `[${expected.join(', ')}]`).join(' or ')}, found [${shape.join(', ')}].`);
    }
    return name;
  }

  /** A matrix stored as `stored` says, which must be its shape; where d = m only its name tells the orientation. */
  weight(name: string, stored: [number, number], wanted: 'as stored' | 'transposed'): Weight {
    return { tensor: this.vector(name, stored), transpose: wanted === 'transposed' };
  }
}

/** The layer (1…L, or 0) whose residual stream a hook point names, or null. */
export function residualLayer(hookPoint: string | null): number | null {
  if (hookPoint === null) return null;
  const pre = /^blocks\.(\d{1,4})\.hook_resid_pre$/.exec(hookPoint);
  if (pre !== null) return Number(pre[1]);
  const post = /^blocks\.(\d{1,4})\.hook_resid_post$|(?:^|\.)(?:layers|h)\.(\d{1,4})$|^resid_post_layer_(\d{1,4})$/.exec(hookPoint);
  const block = post?.[1] ?? post?.[2] ?? post?.[3];
  return block === undefined ? null : Number(block) + 1;
}

/** The factor given in a request. @throws SaeEvalError `sae-option` that asks for it. */
export function needScale({ scale }: GivenSettings, file: string, why: string): Normalization {
  if (scale === undefined) throw new SaeEvalError('sae-option', `${file}: ${why} Give it in the request (\`scale\`: the number the SAE's input is multiplied by).`, { fields: [{ path: 'scale', message: why }] });
  if (!Number.isFinite(scale) || scale <= 0) throw new SaeEvalError('sae-option', `${file}: expected a positive number for \`scale\`, found ${scale}.`, { fields: [{ path: 'scale', message: 'expected a positive number' }] });
  return { kind: 'scale', factor: scale };
}
