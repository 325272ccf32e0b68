/**
 * Builds results: the values of every SAE with notes on those that are null, the settings of the
 * run, and the findings.
 */
import {
  isTranscoder,
  kOf,
  normalizationsOf,
  readsOnePlace,
  type SaeDescription,
} from '../../sae/description.js';
import type { LanguageModel } from '../../lm/index.js';
import { isSkipTurned } from '../../sae/turned-skip.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import { cleanKey } from '../../metrics/keys.js';
import { packageVersion } from '../../version.js';
import { Assembly, type Subject } from './assemble.js';
import { findings } from '../../findings/index.js';
import { isNearIdentity } from '../../findings/rules/near-identity.js';
import { summarize } from '../../summary/index.js';
import type { Decisions } from '../run/journal.js';
import { causeOf, notFinite } from './non-finite.js';
import { notesOn } from './notes.js';
import { positionsOf, specialShares } from './positions.js';
import type { ResolvedSae } from '../request/resolve.js';
import type { EvaluatedSae } from '../run/prepare.js';
import type {
  Comparison,
  DataSummary,
  EvaluationResult,
  ReferenceValues,
  ReplacementValues,
  ResolvedRequest,
  RunConfig,
  SaeResult,
  StrictValues,
  SweepPoint,
} from '../../schema/index.js';
import { replacementOwner } from '../engine/strategies/cross-layer.js';
import type { Wanted } from '../engine/strategies/strategy.js';

export interface ResultBuilderOptions {
  request: ResolvedRequest;
  model: LanguageModel;
  evaluated: readonly EvaluatedSae[];
  decisions: Decisions;
  identity: { id: string; createdAt: string };
  wanted: Wanted;
  /** Name of the processor or GPU. */
  deviceName: string;
  versions: { libtorch: string };
}

/** The space that an SAE is measured in. */
function spaceOf(description: SaeDescription): string {
  const kinds = [...new Set(normalizationsOf(description).map(({ kind }) => kind))].join(', ');
  return readsOnePlace(description) && description.centered ? `centred, ${kinds}` : kinds;
}

/** Remark on a skip connection that was turned. */
const turnedSkip = {
  en:
    'Sources disagree on whether its skip connection is multiplied by as it is stored or by its ' +
    'transpose. With the stored matrix the predictions of the first texts were clearly better, ' +
    'so that was used.',
  zh:
    '各来源对其跳跃连接是按存储的矩阵相乘还是按其转置相乘说法不一。按存储的矩阵相乘时，对最初若干' +
    '文本的预测明显更好，因此采用之。',
};

/** The values that are there. */
const present = (values: StrictValues): ReplacementValues =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));

/** The places that a transcoder reads, for a result; empty for SAEs that reconstruct them. */
function readsOf({ reads, layer, hookOut }: ResolvedSae): Pick<SaeResult, 'reads'> {
  if (reads === null || hookOut === null) return {};
  const layers = reads.map((read) => read.layer);
  const site = reads[0]!.site;
  return {
    reads: {
      ...(layer === null ? { layers } : { layer: layers[0]! }),
      ...(site === null ? {} : { site }),
    },
  };
}

export class ResultBuilder {
  constructor(private readonly options: ResultBuilderOptions) {}

  #subject(evaluated: EvaluatedSae, variant = 0): Subject {
    return {
      owner: evaluated.variants[variant]!.owner,
      width: evaluated.resolved.description.d,
      slots: evaluated.strategy!.slots,
      positions: evaluated.strategy!.positions.key,
    };
  }

  /** All layers of a cross-layer SAE replaced together. */
  #replaced(evaluated: EvaluatedSae): Subject {
    const subject = this.#subject(evaluated);
    const slot = { layer: null, splicedAt: null };
    return {
      ...subject,
      owner: replacementOwner(subject.owner),
      slots: { reference: [], strict: [slot] },
    };
  }

  #assembly(accumulator: Accumulator, intervals: boolean): Assembly {
    const { request, evaluated, wanted } = this.options;
    const subjects = evaluated.flatMap((one) =>
      one.strategy === null
        ? []
        : [
            ...one.variants.map((_, variant) => this.#subject(one, variant)),
            ...(one.resolved.description.form === 'cross-layer' ? [this.#replaced(one)] : []),
          ],
    );
    return new Assembly(accumulator, request.metrics, {
      seed: request.seed,
      intervals: intervals && wanted.protocols.has('strict'),
      subjects,
    });
  }

  /** The SAEs' values so far. */
  results(accumulator: Accumulator, { intervals }: { intervals: boolean }): SaeResult[] {
    return this.#results(accumulator, this.#assembly(accumulator, intervals));
  }

  #results(accumulator: Accumulator, assembly: Assembly): SaeResult[] {
    return this.options.evaluated.map((one) => this.#one(one, accumulator, assembly));
  }

  #one(evaluated: EvaluatedSae, accumulator: Accumulator, assembly: Assembly): SaeResult {
    const { resolved, path, error } = evaluated;
    const { description, label, layer, layers, site, head, hookPoint, hookOut } = resolved;
    const { kind, format, d, m, form, publishedL0, groups } = description;
    const base = {
      label,
      kind,
      checkpoint: path,
      format,
      hookPoint,
      ...(hookOut === null ? {} : { hookOut }),
      ...readsOf(resolved),
      normalization: spaceOf(description),
      ...(site === null ? {} : { site }),
      ...(head === undefined ? {} : { head }),
      ...(layer === null ? { layers } : { layer }),
      ...(publishedL0 === undefined ? {} : { publishedL0 }),
      d,
      ...(description.form === 'transcoder' ? { dOut: description.dOut } : {}),
      m,
      k: kOf(description),
      ...(groups === undefined ? {} : { groups: [...groups] }),
      routing: form === 'routed' ? description.routing : null,
      aggregation: form === 'routed' ? description.aggregation : null,
    };
    const failed = (code: string, message: string): SaeResult => ({
      ...base,
      error: { code, message },
      reference: null,
      strict: null,
      perLayer: null,
      sweep: null,
      notes: [],
    });
    if (evaluated.strategy === null)
      return failed(error?.code ?? 'internal', error?.message ?? 'could not be loaded');
    const values = this.#values(evaluated, 0, assembly);
    // RouteSAE uses its layers together, single-layer kinds have one.
    const isTogether = form === 'cross-layer';
    const perLayer =
      kind === 'MLSAE' || kind === 'Crosscoder'
        ? assembly.perLayer(this.#subject(evaluated), [...this.options.wanted.protocols])
        : null;
    const sweep = evaluated.variants.slice(1).map(({ sparsity }, i): SweepPoint => ({
      ...sparsity,
      ...this.#values(evaluated, i + 1, assembly),
    }));
    const replacement =
      isTogether && values.strict !== null
        ? { replacement: present(assembly.strict(this.#replaced(evaluated))) }
        : {};
    const wrong = notFinite({ ...values, perLayer, sweep, ...replacement });
    if (wrong !== null)
      return failed(
        'non-finite',
        `${wrong} is NaN or infinite. ` +
          causeOf(accumulator, this.#subject(evaluated), this.options.request),
      );
    return {
      ...base,
      error: null,
      ...this.#positions(evaluated, accumulator),
      ...values,
      perLayer,
      ...replacement,
      sweep: sweep.length === 0 ? null : sweep,
      notes: [
        ...resolved.notes.map((note) => ({ metric: 'checkpoint', ...note })),
        ...(isSkipTurned(evaluated.sae) ? [{ metric: 'checkpoint', ...turnedSkip }] : []),
        ...resolved.prefixNotes.map((note) => ({ metric: 'prefixes', ...note })),
        ...notesOn(values, {
          asked: this.options.request.metrics,
          kind,
          routing: base.routing,
          hasNoReference: isTranscoder(description),
        }),
      ],
    };
  }

  /** Positions that count under `strict`, and the share of special tokens in what was measured. */
  #positions(
    evaluated: EvaluatedSae,
    accumulator: Accumulator,
  ): Pick<SaeResult, 'positions' | 'specials'> {
    if (!this.options.wanted.protocols.has('strict')) return {};
    const { resolved, strategy } = evaluated;
    return {
      positions: positionsOf(
        { ...resolved.excluding, roles: this.options.request.dataset.roles },
        accumulator,
        strategy!.positions,
      ),
      specials: specialShares(accumulator, this.#subject(evaluated)),
    };
  }

  #values(
    evaluated: EvaluatedSae,
    variant: number,
    assembly: Assembly,
  ): { reference: ReferenceValues | null; strict: StrictValues | null } {
    const subject = this.#subject(evaluated, variant);
    const { protocols } = this.options.wanted;
    return {
      reference: protocols.has('reference') ? assembly.reference(subject) : null,
      strict: protocols.has('strict') ? assembly.strict(subject) : null,
    };
  }

  /** The whole result, with intervals, comparisons and findings. */
  result(
    accumulator: Accumulator,
    {
      data,
      files,
      seconds,
      isStopped = false,
      devicePeakBytes,
    }: {
      data: Omit<DataSummary, 'batches' | 'realTokens' | 'paddedTokens'>;
      files: RunConfig['files'];
      seconds: number;
      /** Whether the run was stopped before all samples were done. */
      isStopped?: boolean;
      /** Most memory of the run's tensors on its CUDA device. */
      devicePeakBytes?: number | undefined;
    },
  ): EvaluationResult {
    const { request, model, decisions, identity, wanted, versions } = this.options;
    const assembly = this.#assembly(accumulator, true);
    const results = this.#results(accumulator, assembly);
    const realTokens = (
      accumulator.column(cleanKey('strict', 'positions')) ?? new Float64Array()
    ).reduce((total, value) => total + value, 0);
    const positions = accumulator.sequences * request.dataset.seqLen;
    const failures = results.filter(({ error }) => error !== null).length;
    const devicePeak = devicePeakBytes === undefined ? {} : { devicePeakBytes };
    const { sequences, logits, lanes } = decisions.microBatch;
    const body = {
      ...identity,
      ...(isStopped ? { stopped: true } : {}),
      status: isStopped
        ? ('cancelled' as const)
        : failures === 0
          ? ('succeeded' as const)
          : failures === results.length
            ? ('failed' as const)
            : ('partial' as const),
      config: {
        ...request,
        device: model.device,
        deviceName: this.options.deviceName,
        architecture: {
          family: model.family,
          layers: model.layers,
          width: model.width,
          vocabulary: model.vocabulary,
          parameters: model.parameters,
          notes: [...model.notes],
        },
        ...(files === undefined ? {} : { files }),
        threads: decisions.threads,
        microBatch: { sequences, logits, ...(lanes === undefined ? {} : { lanes }) },
        saeProducts: decisions.saeProducts,
        versions: {
          'sae-eval': packageVersion,
          libtorch: versions.libtorch,
          node: process.versions.node,
        },
      },
      data: {
        ...data,
        samples: accumulator.sequences,
        batches: accumulator.batchSizes.length,
        realTokens,
        paddedTokens: positions - realTokens,
      },
      results,
      comparisons: wanted.protocols.has('strict') ? this.#comparisons(assembly, results) : [],
      timing: { seconds, tokensPerSecond: realTokens / Math.max(seconds, 1e-9) },
      memory: { peakBytes: process.resourceUsage().maxRSS * 1024, ...devicePeak },
    };
    const withFindings = { ...body, findings: findings(body) };
    return { ...withFindings, summary: summarize(withFindings) };
  }

  /** Paired differences of the SAEs that have values. */
  #comparisons(assembly: Assembly, results: readonly SaeResult[]): Comparison[] {
    return assembly.comparisons(
      this.options.evaluated.flatMap((one, index) => {
        const result = results[index]!;
        return result.error !== null
          ? []
          : [
              {
                ...this.#subject(one),
                label: result.label,
                isBaseline: result.kind === 'RandomK',
                isNearIdentity: isNearIdentity(result),
              },
            ];
      }),
    );
  }
}
