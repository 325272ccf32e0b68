/**
 * Language model exported as TorchScript. Its program has the methods
 *
 *   embed(ids [B, T] int64) → r_0 [B, T, d]
 *   block(index, r [N, T, d], real [N, T] bool) → [N, T, d], index from 0
 *   final_norm(r [N, T, d]) → [N, T, d]
 *   head(h [N, d], start, count) → logits [N, count] of these tokens
 *
 * N is a multiple of B: copies of the batch run stacked. Sites inside a block cannot be reached.
 */
import { join } from 'node:path';
import type { Bilingual } from '../schema/index.js';
import { mistakenFile } from '../checkpoint/mistaken-file.js';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { holdingFile } from '../files/index.js';
import {
  fromTypedArray,
  keep,
  ops,
  scope,
  ScriptModule,
  type DType,
  type Tensor,
} from '../torch/index.js';
import type { ModelConfig } from './config.js';
import type { AttentionContext, LanguageModel, Tap, VocabularyRange } from './model.js';
import { bytesPer } from './weight-files.js';

const methods = ['embed', 'block', 'final_norm', 'head'] as const;

class ScriptContext implements AttentionContext {
  readonly lengths: readonly number[];
  readonly T: number;
  readonly isUnpadded = false;
  readonly real: Tensor; // [B, T] bool

  constructor(lengths: readonly number[], T: number, device: string) {
    this.lengths = lengths;
    this.T = T;
    this.real = keep(
      scope(() => {
        const ends = fromTypedArray(BigInt64Array.from(lengths, BigInt), [lengths.length, 1], {
          device,
        }); // [B, 1]
        return ops.arange(T, { device }).unsqueeze(0).lt(ends);
      }),
    );
  }

  dispose(): void {
    this.real.dispose();
  }
}

export class ScriptLanguageModel implements LanguageModel {
  readonly family = 'torchscript';
  readonly takesUnpadded = false;
  readonly notes: readonly Bilingual[] = [];
  readonly layers: number;
  readonly width: number;
  readonly vocabulary: number;
  readonly maxPositions: number;
  readonly parameters: number;
  readonly weightBytes: number;
  readonly isStreamed = false;
  readonly heldElsewhere: ReadonlyMap<string, number> = new Map();
  /** Nobody knows how a program attends. */
  readonly attentionBytes = 0;
  readonly device: string;
  readonly dtype: DType;
  readonly #program: string;
  #module: ScriptModule | null;

  /**
   * @throws SaeEvalError `file-not-found`, or `model-invalid` if the program cannot be read or
   *   lacks a method.
   */
  constructor(
    { path, layers, width, vocabulary, maxPositions, script }: ModelConfig,
    { device, dtype }: { device: string; dtype: DType },
  ) {
    this.#program = join(path, script?.program ?? '');
    this.layers = layers;
    this.width = width;
    this.vocabulary = vocabulary;
    this.maxPositions = maxPositions;
    this.device = device;
    this.dtype = dtype;
    const mistake = mistakenFile(this.#program);
    if (mistake !== null)
      throw new SaeEvalError(
        'model-invalid',
        `${this.#program}: expected a TorchScript program; ${mistake}.`,
      );
    const module = this.#guard('loading', () =>
      holdingFile(this.#program, ({ through }) => new ScriptModule(through, { device }))
        .to({ dtype })
        .eval(),
    );
    const found = new Set(module.methods());
    const missing = methods.filter((method) => !found.has(method));
    if (missing.length > 0)
      throw new SaeEvalError(
        'model-invalid',
        `${this.#program}: expected a TorchScript program with the methods ` +
          `${methods.join(', ')}, found none called ${missing.join(', ')}. Mark them with ` +
          '@torch.jit.export.',
      );
    this.parameters = scope(() =>
      [...module.parameters().values()].reduce((sum, { numel }) => sum + numel, 0),
    );
    this.weightBytes = this.parameters * bytesPer(dtype);
    this.#module = module;
  }

  embed(ids: Tensor): Tensor {
    return this.#run('embed', [...ids.shape, this.width], ids);
  }

  context(lengths: readonly number[], T: number): AttentionContext {
    return new ScriptContext(lengths, T, this.device);
  }

  /** @throws SaeEvalError `model-unsupported` if there is a tap. */
  async bring(): Promise<void> {}

  block(i: number, r: Tensor, context: AttentionContext, tap?: Tap): Tensor {
    if (tap !== undefined)
      throw new SaeEvalError(
        'model-unsupported',
        `${this.#program}: sites inside a block of a TorchScript program cannot be ` +
          'reached; only residual streams can.',
      );
    const { real } = context as ScriptContext;
    return scope(() =>
      this.#run('block', r.shape, i - 1, r, real.repeat([r.shape[0]! / real.shape[0]!, 1])),
    );
  }

  finalNorm(r: Tensor): Tensor {
    return this.#run('final_norm', r.shape, r);
  }

  head(h: Tensor, { from, count }: VocabularyRange = { from: 0, count: this.vocabulary }): Tensor {
    return this.#run('head', [h.shape[0]!, count], h, from, count);
  }

  sharingWeights<T>(body: () => T): T {
    return body();
  }

  dispose(): void {
    this.#module?.dispose();
    this.#module = null;
  }

  #run(method: (typeof methods)[number], shape: readonly number[], ...args: unknown[]): Tensor {
    const result = this.#guard(method, () =>
      this.#module!.call<unknown>(method, ...args),
    ) as Tensor | null;
    const found = result?.shape;
    if (
      found?.length === shape.length &&
      found.every((size, dim) => size === shape[dim]) &&
      result!.dtype === this.dtype
    )
      return result!;
    throw new SaeEvalError(
      'model-invalid',
      `${this.#program}: expected ${method} to give a tensor [${shape.join(', ')}] in ` +
        `${this.dtype}, found ` +
        (found === undefined ? 'something else' : `[${found.join(', ')}] in ${result!.dtype}`) +
        '.',
    );
  }

  #guard<T>(what: string, run: () => T): T {
    try {
      return run();
    } catch (thrown) {
      // A missing or damaged file keeps its code. An error of the program is the model's fault.
      const isOfSystem = /^E[A-Z]+$/.test((thrown as NodeJS.ErrnoException).code ?? '');
      const error = isOfSystem ? asSaeEvalError(thrown, this.#program) : thrown;
      const code =
        error instanceof SaeEvalError && /^(file|checkpoint|path)-/.test(error.code)
          ? error.code
          : 'model-invalid';
      throw new SaeEvalError(
        code,
        `${this.#program}: ${what}: ` +
          (thrown instanceof Error
            ? thrown.message.split('\n').slice(0, 3).join(' ').slice(0, 500)
            : String(thrown)) +
          '.',
        { cause: thrown },
      );
    }
  }
}
