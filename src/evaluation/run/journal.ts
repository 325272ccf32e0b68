/**
 * The journal of a run: everything its finished batches gave, with the decisions it was started
 * with and the content of its files. A run that was killed continues after the last batch in it,
 * with the same bits. A journal that is damaged, or of another run, is not used, and the run says
 * why.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Bilingual } from '../../bilingual.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import type { ProductKind } from '../../sae/index.js';
import type { MicroBatch } from '../engine/micro-batch.js';
import { accumulatorOf, arraysOf } from './accumulator-arrays.js';
import { DamagedFileError, readArrayFile, writeArrayFile, type NamedArray } from './array-file.js';
import { fileContentSchema } from './file-content.js';
import type { InputFiles } from './input-files.js';

const format = 'sae-eval journal';
const formatVersion = 6;
/** Part of the time of a run that writing may take. */
const partOfTime = 0.02;

/** Decisions that must not change between the parts of one run. */
export interface Decisions {
  microBatch: MicroBatch;
  threads: number;
  /** Kind of the SAEs' products. */
  saeProducts: ProductKind;
  /**
   * Micro-batches that go through a block together, if the weights do not fit and blocks are
   * brought in one after the other.
   */
  superBatch?: number | undefined;
}

/** State of a run after a batch. */
export interface RunState {
  id: string;
  createdAt: string;
  decisions: Decisions;
  /** Indices of the SAEs whose skip connections the first texts turned. */
  turnedSkips: readonly number[];
  /** Compute time so far, earlier parts included. */
  seconds: number;
  /** Warnings of the result beside the data's own. */
  warnings: readonly Bilingual[];
  accumulator: Accumulator;
}

export const decisionsSchema = z.object({
  microBatch: z.object({
    sequences: z.number(),
    lanesPerCall: z.number(),
    logits: z.number(),
    lanes: z.number().optional(),
  }),
  threads: z.number(),
  saeProducts: z.enum(['float32', 'bfloat16-parts']),
  superBatch: z.number().int().positive().optional(),
}) satisfies z.ZodType<Decisions>;

const contentSchema = z.object({
  request: z.string(),
  machine: z.string(),
  files: z.array(fileContentSchema),
  id: z.string(),
  createdAt: z.string(),
  decisions: decisionsSchema,
  turnedSkips: z.array(z.number()),
  seconds: z.number(),
  warnings: z.array(z.object({ en: z.string(), zh: z.string() })),
});

/** A run, apart from its files: equal for the same request, on the same kind of machine. */
export interface RunIdentity {
  /** Everything that is asked for, and that the files' settings say. */
  request: unknown;
  /** Versions and processor, which decide the bits. */
  machine: unknown;
}

const digestOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex');

/** State of an earlier part, or why there is none; both null without a journal. */
export interface Recovery {
  state: RunState | null;
  refused: Bilingual | null;
}

const refusals = {
  damaged: { en: 'it is damaged', zh: '文件已损坏' },
  version: { en: 'another version of sae-eval wrote it', zh: '它由另一版本的 sae-eval 写成' },
  request: { en: 'it belongs to another request', zh: '它属于另一个请求' },
  machine: {
    en: 'it was written with another processor, libtorch or version of sae-eval',
    zh: '写入时的处理器、libtorch 或 sae-eval 版本不同',
  },
} satisfies Record<string, Bilingual>;

function refusedFor({ en, zh }: Bilingual): Recovery {
  return {
    state: null,
    refused: {
      en: `The journal of an earlier attempt was not used: ${en}. The run began again.`,
      zh: `未使用先前运行的日志：${zh}。本次运行从头开始。`,
    },
  };
}

export class Journal {
  readonly #request: string;
  readonly #machine: string;
  #nextWrite = -Infinity;

  constructor(
    private readonly path: string,
    { request, machine }: RunIdentity,
    private readonly files: InputFiles,
  ) {
    this.#request = digestOf(request);
    this.#machine = digestOf(machine);
  }

  /** State that an earlier part of the same run on the same files left. */
  recover(): Recovery {
    let arrays: ReadonlyMap<string, NamedArray>;
    let metadata: Readonly<Record<string, string>>;
    try {
      ({ arrays, metadata } = readArrayFile(this.path));
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT')
        return { state: null, refused: null };
      if (thrown instanceof DamagedFileError) return refusedFor(refusals.damaged);
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      return refusedFor({ en: reason, zh: reason });
    }
    if (metadata['format'] !== format || metadata['version'] !== String(formatVersion))
      return refusedFor(refusals.version);
    const parsed = contentSchema.safeParse(JSON.parse(metadata['content'] ?? 'null'));
    if (!parsed.success) return refusedFor(refusals.version);
    const { request, machine, files, ...state } = parsed.data;
    if (request !== this.#request) return refusedFor(refusals.request);
    if (machine !== this.#machine) return refusedFor(refusals.machine);
    const [changed, ...more] = this.files.changedSince(files);
    if (changed !== undefined)
      return refusedFor({
        en: `${changed}${more.length === 0 ? ' has' : ` and ${more.length} more have`} changed`,
        zh: `${changed}${more.length === 0 ? '' : `等 ${more.length + 1} 个文件`}已改变`,
      });
    return { state: { ...state, accumulator: accumulatorOf(arrays) }, refused: null };
  }

  /** Whether the next state should be written, so that writing takes little of the run's time. */
  get due(): boolean {
    return performance.now() >= this.#nextWrite;
  }

  /** Replaces the file: after a crash there is either the state before or this one. */
  write({ accumulator, ...state }: RunState): void {
    const began = performance.now();
    const content: z.infer<typeof contentSchema> = {
      ...state,
      turnedSkips: [...state.turnedSkips],
      warnings: [...state.warnings],
      request: this.#request,
      machine: this.#machine,
      files: [...this.files.contents],
    };
    writeArrayFile(this.path, {
      arrays: arraysOf(accumulator),
      metadata: { format, version: String(formatVersion), content: JSON.stringify(content) },
    });
    const now = performance.now();
    this.#nextWrite = now + (now - began) / partOfTime;
  }
}
