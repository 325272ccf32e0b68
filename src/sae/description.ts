/**
 * What a published SAE is, apart from how its files spell it. Everything that changes a number is a
 * field here; evaluation follows the description and knows no format.
 *
 * For h [N, d], its mean over d taken off if `centred`: x = normalization(h); a = (x − decoderBias
 * if subtractDecoderBias) W_enc + encoderBias; z = activation(a); x̂ = z W_dec + decoderBias; ĥ
 * undoes the normalization.
 */
import { SaeEvalError, type FieldError } from '../errors.js';
import type { Bilingual } from '../schema/index.js';
import type { Checkpoint } from '../checkpoint/read.js';

export const saeSources = [
  'saelens',
  'dictionary_learning',
  'sparsify',
  'gemma-scope',
  'llama-scope',
  'openmoss',
  'openai',
  'mlsae',
  'crosscoder',
  'routesae',
] as const;
export type SaeSource = (typeof saeSources)[number];

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
  /** (h − mean) / (unbiased std + epsilon) per token; undone by · std + mean. */
  | { kind: 'layer-norm'; epsilon: number }
  /** h · √d / ‖h‖ per token; undone by its inverse. */
  | { kind: 'token-norm' }
  /** h · factor; undone by ÷ factor. */
  | { kind: 'scale'; factor: number };

/** [m] or one number for all latents, or a constant; `log`: the file has its logarithm. */
export type Threshold = { tensor: string; log: boolean } | { value: number };

export type Activation =
  | { kind: 'relu' }
  /** The k largest pre-activations, then max(·, 0) unless `signed`. */
  | { kind: 'topk'; k: number; signed?: boolean }
  /** max(a, 0) where a > threshold, else 0; a itself there if `signed`. */
  | { kind: 'jumprelu'; threshold: Threshold; signed?: boolean }
  /**
   * e = (x − decoderBias) W_enc without a bias; 1[e + gateBias > 0] · max(e · exp(logScale) +
   * magnitudeBias, 0).
   */
  | { kind: 'gated'; gateBias: string; magnitudeBias: string; logScale: string };

/**
 * `selection`: the activation's choice is made on a · ‖W_dec row‖, the latents are z ÷ that norm.
 * `latents`: the latents keep the norm and the decoder divides by it.
 */
export type DecoderNorm = 'none' | 'selection' | 'latents';

interface Described {
  source: SaeSource;
  checkpoint: Checkpoint;
  /** Of the configuration beside the weights; null where there is none. */
  configPath: string | null;
  d: number;
  m: number;
  activation: Activation;
  decoderNorm: DecoderNorm;
  /** What a report should say of it. */
  notes: Bilingual[];
}

export interface SaeDescription extends Described {
  form: 'sae';
  encoder: Weight;
  decoder: Weight;
  encoderBias: string | null;
  decoderBias: string | null;
  subtractDecoderBias: boolean;
  /** Multiplies the pre-activations by sigmoid(x W + bias); null in nearly all. */
  glu: { weight: Weight; bias: string } | null;
  /**
   * Trained on a residual stream without its mean over d (TransformerLens' center_writing_weights),
   * which is put back after.
   */
  centred: boolean;
  normalization: Normalization;
  /** As the file names it, in TransformerLens' or a module's words; null where it says nothing. */
  hookPoint: string | null;
  /**
   * `config`: the file's own word. `path`: read off the names of its folders, which a request may
   * contradict.
   */
  hookPointFrom: 'config' | 'path';
  /**
   * Why it can be loaded but not evaluated (it reconstructs another site than it reads); absent in
   * nearly all.
   */
  obstacle?: string;
  /**
   * The weights are rounded to it first, as their library does on loading; absent where that
   * changes nothing.
   */
  roundedTo?: 'bfloat16' | 'float16';
  /** What the names of its folders say beside the hook point. */
  fromPath?: { width?: string; averageL0?: number };
}

/**
 * A crosscoder over n sites: x [N, n, d]; a = Σ_j x_j W_enc[j] + encoderBias (summed over sites if
 * it has two dimensions); z = activation(a), for each site by itself under a decoder norm; x̂_j =
 * z_j W_dec[j] + decoderBias[j].
 */
export interface CrosscoderDescription extends Described {
  form: 'crosscoder';
  sites: number;
  encoder: string; // [n, d, m]
  /** [n, m, d], or [m, n, d] with the latents first. */
  decoder: { tensor: string; order: 'sites first' | 'latents first' };
  encoderBias: string; // [m] or [n, m]
  decoderBias: string; // [n, d]
  /** Of each site. */
  normalizations: Normalization[];
  /** Of each site where they belong to one model; null where the sites are models. */
  hookPoints: string[] | null;
}

export type PublishedDescription = SaeDescription | CrosscoderDescription;

/** What a request can say that a file does not. */
export interface GivenSettings {
  /**
   * What the SAE's input is multiplied by, where it was not saved or is disputed; for crosscoders
   * one for each site.
   */
  scale?: number | readonly number[];
  /** Whether the mean over d is taken off first, where the file does not say. */
  centred?: boolean;
  k?: number;
  /** The only settings an SAE is run with, where its own was never set. */
  theta?: number;
  inferK?: number;
  /** Collects what must be given instead of throwing it, for an inspection. */
  missing?: FieldError[];
}

/** Looks up tensors by name and checks their shapes. */
export class Tensors {
  constructor(readonly checkpoint: Checkpoint) {}

  has(name: string): boolean {
    return this.checkpoint.entries.has(name);
  }

  /** The first of these names that the file has, else the first. */
  either(...names: [string, ...string[]]): string {
    return names.find((name) => this.has(name)) ?? names[0];
  }

  /**
   * The shape of a tensor of numbers. @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`.
   */
  shape(name: string): number[] {
    const entry = this.checkpoint.entries.get(name);
    if (entry !== undefined) {
      if (/^float|^bfloat/.test(entry.dtype)) return entry.shape;
      throw new SaeEvalError(
        'checkpoint-shape',
        `${this.checkpoint.path}: expected '${name}' in float32, float16, bfloat16 or ` +
          `float64, found ${entry.dtype}.`,
      );
    }
    const found = [...this.checkpoint.entries.keys()]
      .slice(0, 12)
      .map((key) => `'${key.slice(0, 60)}'`)
      .join(', ');
    throw new SaeEvalError(
      'checkpoint-keys',
      `${this.checkpoint.path}: expected a tensor '${name}', found ${found || 'none'}.`,
    );
  }

  /**
   * Its name, with the shape checked. @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`.
   */
  vector(name: string, ...shapes: number[][]): string {
    const shape = this.shape(name);
    if (
      !shapes.some(
        (expected) =>
          expected.length === shape.length && expected.every((size, i) => size === shape[i]),
      )
    ) {
      throw new SaeEvalError(
        'checkpoint-shape',
        `${this.checkpoint.path}: expected '${name}' of shape ` +
          `${shapes.map((expected) => `[${expected.join(', ')}]`).join(' or ')}, found ` +
          `[${shape.join(', ')}].`,
      );
    }
    return name;
  }

  /** Thresholds: one for each latent, or one for all. */
  threshold(name: string, m: number): string {
    return this.vector(name, [m], [], [1]);
  }

  /**
   * A matrix stored as `stored` says, which must be its shape; where d = m only its name tells the
   * orientation.
   */
  weight(name: string, stored: [number, number], wanted: 'as stored' | 'transposed'): Weight {
    return { tensor: this.vector(name, stored), transpose: wanted === 'transposed' };
  }

  /** The two sizes of a matrix. @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`. */
  matrix(name: string, meaning: string): [number, number] {
    const shape = this.shape(name);
    if (shape.length !== 2 || shape.includes(0))
      throw new SaeEvalError(
        'checkpoint-shape',
        `${this.checkpoint.path}: expected '${name}' of shape ${meaning}, found ` +
          `[${shape.join(', ')}].`,
      );
    return shape as [number, number];
  }
}

/**
 * Asks for a setting that a file does not hold. @throws SaeEvalError `sae-option`, unless it is an
 * inspection that asks.
 */
export function ask(given: GivenSettings, field: string, file: string, message: string): void {
  if (given.missing === undefined)
    throw new SaeEvalError('sae-option', `${file}: ${message}`, {
      fields: [{ path: field, message }],
    });
  given.missing.push({ path: field, message });
}

/** A scale given in a request, checked. @throws SaeEvalError `sae-option`. */
export function scaleOf(scale: number, file: string): Normalization {
  if (!Number.isFinite(scale) || scale <= 0)
    throw new SaeEvalError(
      'sae-option',
      `${file}: expected a positive number for \`scale\`, found ${scale}.`,
      { fields: [{ path: 'scale', message: 'expected a positive number' }] },
    );
  return { kind: 'scale', factor: scale };
}

/**
 * The one scale of an SAE on one site, or undefined. @throws SaeEvalError `sae-option` for a list
 * of them.
 */
export function givenScale({ scale }: GivenSettings, file: string): number | undefined {
  if (scale === undefined || typeof scale === 'number') return scale;
  throw new SaeEvalError(
    'sae-option',
    `${file}: expected one number for \`scale\`, found a list of ${scale.length}; lists ` +
      'are for crosscoders, a number for each site.',
    { fields: [{ path: 'scale', message: 'expected one number' }] },
  );
}

/** The factor given in a request. @throws SaeEvalError `sae-option` that asks for it. */
export function needScale(given: GivenSettings, file: string, why: string): Normalization {
  const scale = givenScale(given, file);
  if (scale !== undefined) return scaleOf(scale, file);
  ask(
    given,
    'scale',
    file,
    `${why} Give it in the request (\`scale\`: the number the SAE's input is multiplied by).`,
  );
  return { kind: 'none' };
}

/**
 * A scale for files that leave nothing open. @throws SaeEvalError `sae-option`: a second one would
 * be applied on top.
 */
export function refuseScale(given: GivenSettings, file: string, why: string): void {
  if (given.scale === undefined || given.scale === 1) return;
  throw new SaeEvalError('sae-option', `${file}: ${why}; leave \`scale\` out.`, {
    fields: [{ path: 'scale', message: `${why}; leave it out` }],
  });
}

/**
 * The request's k, else the file's. @throws SaeEvalError `sae-option` where there is none or it is
 * out of range.
 */
export function needK(
  given: GivenSettings,
  saved: number | null | undefined,
  m: number,
  file: string,
  where: string,
): number {
  const k = given.k ?? saved;
  if (k === undefined || k === null)
    ask(given, 'k', file, `expected k of 1…${m} in ${where}, found none. Give k in the request.`);
  else if (!Number.isInteger(k) || k < 1 || k > m) {
    throw new SaeEvalError(
      'sae-option',
      `${file}: expected k of 1…${m}, found ` +
        `${k}${given.k === undefined ? ` in ${where}. Give k in the request` : ''}.`,
      { fields: [{ path: 'k', message: `expected 1…${m}, found ${k}` }] },
    );
  }
  return k ?? 1;
}
