/**
 * Model around the blocks, the same for all families: embedding, final norm, head, contexts, and
 * ownership of the weights.
 */
import type { Bilingual } from '../schema/index.js';
import { ops, scope, type DType, type Tensor } from '../torch/index.js';
import { blockBytes } from './attention-blocks.js';
import { BatchContext } from './batch-context.js';
import type { ModelConfig } from './config.js';
import type { Layer } from './layers.js';
import type {
  AttentionContext,
  ContextOptions,
  LanguageModel,
  Tap,
  VocabularyRange,
} from './model.js';
import { RopeTables } from './rope.js';
import type { Blocks } from './streamed-blocks.js';
import { bytesPer } from './weight-files.js';
import type { Weights } from './weights.js';

/** [N, d] → the logits [N, V], or those of a range of tokens. */
export interface Head {
  forward(h: Tensor, vocabulary?: VocabularyRange): Tensor;
}

export interface TransformerParts {
  embedding: Tensor; // [V, d]
  blocks: Blocks;
  finalNorm: Layer;
  head: Head;
  /** Remarks on the weight files. */
  notes: readonly Bilingual[];
}

export class Transformer implements LanguageModel {
  readonly #ropes: RopeTables;

  constructor(
    protected readonly config: ModelConfig,
    protected readonly weights: Weights,
    protected readonly parts: TransformerParts,
  ) {
    const ropes = config.ropes.filter((rope) => rope !== null);
    this.#ropes = new RopeTables(ropes, weights.options);
  }

  get notes(): readonly Bilingual[] {
    return [...this.config.notes, ...this.parts.notes];
  }

  get family(): string {
    return this.config.family;
  }

  get layers(): number {
    return this.config.layers;
  }

  get width(): number {
    return this.config.width;
  }

  get vocabulary(): number {
    return this.config.vocabulary;
  }

  get maxPositions(): number {
    return this.config.maxPositions;
  }

  get parameters(): number {
    return this.weights.parameters;
  }

  get device(): string {
    return this.weights.options.device;
  }

  get dtype(): DType {
    return this.weights.options.dtype;
  }

  get weightBytes(): number {
    return this.parameters * bytesPer(this.dtype);
  }

  get attentionBytes(): number {
    // The kernels of segments hold no scores.
    const { attentionSoftcap, deltaNet, attentionSinks = false, attentionChunks } = this.config;
    const usesKernels = attentionSoftcap === null && !attentionSinks;
    return usesKernels && deltaNet === undefined && attentionChunks === undefined ? 0 : blockBytes;
  }

  get takesUnpadded(): boolean {
    // The state of a delta net goes along a row.
    return this.config.deltaNet === undefined;
  }

  embed(ids: Tensor, _context?: AttentionContext): Tensor {
    const { embeddingScale: factor } = this.config;
    return scope(() => {
      const r = ops.embedding(this.parts.embedding, ids); // [B, T, d]
      return factor === null ? r : r.mul_(factor);
    });
  }

  context(
    lengths: readonly number[],
    T: number,
    { seqLen = T, paddedQueries = true, isUnpadded = false }: ContextOptions = {},
  ): AttentionContext {
    const ropes = this.#ropes;
    return new BatchContext({
      ...this.weights.options,
      lengths,
      T,
      seqLen,
      ropes,
      paddedQueries,
      isUnpadded,
    });
  }

  block(i: number, r: Tensor, context: AttentionContext, tap?: Tap): Tensor {
    return scope(() => this.parts.blocks.at(i).forward(r, context as BatchContext, tap));
  }

  get isStreamed(): boolean {
    return this.parts.blocks.areStreamed;
  }

  get heldElsewhere(): ReadonlyMap<string, number> {
    return this.parts.blocks.held;
  }

  bring(i: number, next: number | null): Promise<void> {
    return this.parts.blocks.bring(i, next);
  }

  finalNorm(r: Tensor): Tensor {
    return scope(() => this.parts.finalNorm.forward(r));
  }

  head(h: Tensor, vocabulary?: VocabularyRange): Tensor {
    const { logitSoftcap: cap, logitScale: factor } = this.config;
    return scope(() => {
      const raw = this.parts.head.forward(h, vocabulary); // [N, V]
      const logits = factor === null ? raw : raw.mul_(factor);
      return cap === null ? logits : logits.div(cap).tanh_().mul_(cap);
    });
  }

  sharingWeights<T>(body: () => T): T {
    return this.weights.packed.during(body);
  }

  dispose(): void {
    this.parts.blocks.dispose();
    this.#ropes.dispose();
    this.weights.dispose();
  }
}
