/** The model, the tokenizer and the SAEs of a run, with what it has decided. */
import { forwardCost, type LanguageModel, type Tokenizer } from '../../lm/index.js';
import type { ResolvedRequest } from '../../schema/index.js';
import type { ProductKind } from '../../sae/index.js';
import { isSkipOpen, isSkipTurned } from '../../sae/turned-skip.js';
import {
  cuda,
  devices,
  setInferenceMode,
  setMemoryCache,
  setNumThreads,
  versions,
} from '../../torch/index.js';
import { memoryCacheBytes } from '../../torch/tuning.js';
import type { Companions } from '../engine/companions.js';
import { Engine } from '../engine/engine.js';
import { peerRuns } from '../peers.js';
import type { Wanted } from '../engine/strategies/strategy.js';
import { factsOf, type RunFacts } from '../result/facts.js';
import { beginOfSamples, type BeginOfSamples } from './begin-of-samples.js';
import { companionsOf } from './companions-of.js';
import type { RunInputs } from './inputs.js';
import { deviceMemory, systemMemory } from './device-memory.js';
import type { Decisions } from './journal.js';
import { borrowModel, borrowTokenizer } from './loading.js';
import { decide, loadEvaluated, threadsOfProcess, wantedOf, type EvaluatedSae } from './prepare.js';
import { measuredWork } from './plan/measured-work.js';
import { sameWork, type SampleWork } from './sample-work.js';
import { residencyOf, type Residency } from './residency.js';
import { weightDevices } from './weight-devices.js';

export interface LoadOptions {
  /** Kind of the SAEs' products. */
  products: ProductKind;
  /** Indices of the SAEs whose skip connections an earlier part of the run turned. */
  turnedSkips?: readonly number[] | undefined;
  /** Indices of the SAEs to load; default all. */
  only?: readonly number[] | undefined;
  /** Whether an earlier part of the run brought blocks in one after the other. */
  streams?: boolean | undefined;
}

/** The request with what was decided about BOS. */
function begun<R extends ResolvedRequest>(request: R, prependBos: boolean | undefined): R {
  return prependBos === undefined
    ? request
    : { ...request, dataset: { ...request.dataset, prependBos } };
}

/** Model, tokenizer and SAEs of a run. The inputs' loans own it. */
export class LoadedRun {
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  readonly evaluated: readonly EvaluatedSae[];
  readonly wanted: Wanted;
  readonly begins: BeginOfSamples;
  /** Where the weights are, if blocks are brought in one after the other. */
  readonly residency: Residency | null;
  /** Indices of the SAEs that it has; undefined: all. */
  readonly only: readonly number[] | undefined;
  readonly #inputs: RunInputs;
  readonly #products: ProductKind;
  /** Companions of the last engine, and what they are for. */
  #companions: { readonly key: string; readonly threads: Companions | null } | null = null;

  private constructor(
    inputs: RunInputs,
    {
      model,
      tokenizer,
      evaluated,
      wanted,
      products,
      residency,
      only,
    }: {
      model: LanguageModel;
      tokenizer: Tokenizer;
      evaluated: readonly EvaluatedSae[];
      wanted: Wanted;
      products: ProductKind;
      residency: Residency | null;
      only: readonly number[] | undefined;
    },
  ) {
    this.#inputs = inputs;
    this.only = only;
    this.model = model;
    this.tokenizer = tokenizer;
    this.evaluated = evaluated;
    this.wanted = wanted;
    this.#products = products;
    this.residency = residency;
    this.begins = beginOfSamples(inputs.validated, tokenizer);
  }

  /** @throws SaeEvalError for the model and the tokenizer; an SAE fails alone. */
  static async load(
    inputs: RunInputs,
    { products, turnedSkips, only, streams = false }: LoadOptions,
  ): Promise<LoadedRun> {
    const { validated, request, loans, cache, resolvePath, allowProgram } = inputs;
    setInferenceMode(true);
    // Where memory is short, none is kept for later tensors that is needed now.
    setMemoryCache(Math.min(memoryCacheBytes, Math.floor(systemMemory().freeBytes / 8)));
    threadsOfProcess();
    const saes = validated.saes.filter((_, index) => only?.includes(index) ?? true);
    const residency = (): Promise<Residency | null> =>
      residencyOf(validated.model, {
        request,
        saes: saes.map(({ description }) => description),
        memory: deviceMemory(request.device, cuda.memory),
      });
    const model = await borrowModel(cache, loans, {
      path: validated.paths.model,
      device: request.device,
      dtype: request.dtype,
      allowProgram,
      weightDevices: weightDevices(request.device, devices()),
      streams: async () => {
        const found = await residency();
        return found !== null && (streams || found.streams);
      },
    });
    const tokenizer = await borrowTokenizer(loans, validated.paths.model);
    const wanted = { ...wantedOf(request), peers: peerRuns(request, tokenizer) };
    const evaluated = loadEvaluated(validated.saes, {
      model,
      specialIds: tokenizer.specialIds,
      device: request.device,
      request,
      wanted,
      products,
      turnedSkips,
      only,
      loans,
      resolvePath,
    });
    return new LoadedRun(inputs, {
      model,
      tokenizer,
      evaluated,
      wanted,
      products,
      residency: model.isStreamed ? { ...(await residency())!, streams: true } : null,
      only,
    });
  }

  /** Decides how much is computed at once, and on how many threads. */
  decide(): Decisions {
    const { evaluated, model } = this;
    return decide(this.#inputs.request, model, {
      evaluated,
      products: this.#products,
      wanted: this.wanted,
      attentionBytes: model.attentionBytes,
      residency: this.residency,
    });
  }

  /**
   * An engine for what was decided, with companions if they help: those of the engine before, if it
   * was for the same. The caller disposes of it.
   */
  engine(decisions: Decisions): Engine {
    const key = JSON.stringify([decisions, this.turnedSkips, this.hasOpenSkips]);
    if (this.#companions?.key !== key) {
      this.close();
      this.#companions = { key, threads: companionsOf(this.#inputs, this, decisions) };
    }
    return this.soleEngine(decisions, this.#companions.threads);
  }

  /** Ends the companions. What was lent to it stays with the lender. */
  close(): void {
    this.#companions?.threads?.close();
    this.#companions = null;
  }

  /** An engine without companions, or with given ones. */
  soleEngine(
    { threads, microBatch, superBatch }: Decisions,
    companions: Companions | null = null,
  ): Engine {
    setNumThreads(threads);
    return new Engine({
      companions,
      model: this.model,
      specials: this.tokenizer.specialIds,
      wanted: this.wanted,
      strategies: this.evaluated.flatMap(({ strategy }) => (strategy === null ? [] : [strategy])),
      saeDtype: this.#inputs.request.saeDtype,
      microBatch,
      spliceSamples: this.#inputs.request.spliceSamples,
      // Another machine may have decided, on which all weights fit.
      superBatch: this.residency === null ? 1 : (superBatch ?? this.decide().superBatch ?? 1),
    });
  }

  /** Work of the samples, compared with each other. */
  async sampleWork(): Promise<SampleWork> {
    const { spliceSamples, dataset } = this.#inputs.request;
    const saes = this.evaluated.flatMap(({ resolved: { label }, sae, strategy }) =>
      sae === null || strategy === null ? [] : [{ label, sae, strategy }],
    );
    if (spliceSamples === undefined || saes.length === 0) return sameWork;
    const cost = await forwardCost(this.#inputs.validated.model, dataset.seqLen);
    const measured = measuredWork(saes, { cost, wanted: this.wanted });
    return { spliced: spliceSamples, measured };
  }

  /** Indices of the SAEs whose skip connections the texts turned so far. */
  get turnedSkips(): number[] {
    return this.evaluated.flatMap(({ sae, index }) => (isSkipTurned(sae) ? [index] : []));
  }

  /** Whether the first texts have still to decide about the skip connection of an SAE. */
  get hasOpenSkips(): boolean {
    return this.evaluated.some(({ sae }) => isSkipOpen(sae));
  }

  /** The request with what was decided about BOS. */
  get request(): ResolvedRequest & { device: string } {
    return begun(this.#inputs.request, this.begins.prependBos);
  }

  /** Facts that the result tells of the run, beside the sums. */
  get facts(): RunFacts {
    const { device, family, layers, width, vocabulary, parameters, notes } = this.model;
    return {
      request: this.request,
      model: { device, family, layers, width, vocabulary, parameters, notes },
      saes: this.evaluated.map(factsOf),
      deviceName: this.#inputs.deviceName,
      versions: versions(),
      files: this.#inputs.files.listing,
    };
  }
}
