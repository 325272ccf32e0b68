/**
 * Builds results: the values of every SAE with notes on those that are null, the settings of the
 * run, and the findings.
 */
import type { Accumulator } from '../../metrics/accumulator.js';
import { cleanKey } from '../../metrics/keys.js';
import { packageVersion } from '../../version.js';
import { Assembly, type Subject } from './assemble.js';
import type { RunFacts, SaeFacts } from './facts.js';
import { findings } from '../../findings/index.js';
import { isNearIdentity } from '../../findings/rules/near-identity.js';
import { summarize } from '../../summary/index.js';
import type { Decisions } from '../run/journal.js';
import { hasPadding, notOneHook, paddedNote, peerResult, type PeerResults } from './peer-values.js';
import { causeOf, notFinite } from './non-finite.js';
import { notesOn } from './notes.js';
import { splicedSequences } from './sequence-part.js';
import { positionsOf, specialShares } from './positions.js';
import { varianceIntervals } from './variance-interval.js';
import { aboutBatches, drawnBatches } from './resampled-units.js';
import { ownProtocols, peersAmong } from '../../schema/index.js';
import type {
  Comparison,
  DataSummary,
  EvaluationResult,
  Note,
  ReferenceValues,
  ReplacementValues,
  RunConfig,
  SaeResult,
  StrictValues,
  SweepPoint,
} from '../../schema/index.js';
import { replacementOwner } from '../engine/strategies/cross-layer.js';

export interface ResultBuilderOptions {
  facts: RunFacts;
  decisions: Decisions;
  identity: { id: string; createdAt: string };
  /** Indices of the SAEs whose skip connections the first texts turned, as of now. */
  turnedSkips?: () => readonly number[];
  /** Number of sequences above which intervals resample batches; default 200,000. */
  batchesAbove?: number;
}

/** Time that a run took. */
export interface RunTiming {
  seconds: number;
  /** Time of all its devices together, if they were several. */
  computeSeconds?: number;
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

/** The number of samples that were spliced, if they are fewer. */
function splicedOf(accumulator: Accumulator): Pick<DataSummary, 'spliceSamples'> {
  const spliced = splicedSequences(accumulator);
  return spliced < accumulator.sequences ? { spliceSamples: spliced } : {};
}

export class ResultBuilder {
  constructor(private readonly options: ResultBuilderOptions) {}

  #subject({ variants, width, measured }: SaeFacts, variant = 0): Subject {
    return { owner: variants[variant]!.owner, width, ...measured! };
  }

  #asksFor(protocol: 'reference' | 'strict'): boolean {
    return this.options.facts.request.protocol.includes(protocol);
  }

  /** All layers of a cross-layer SAE replaced together. */
  #replaced(sae: SaeFacts): Subject {
    const subject = this.#subject(sae);
    const slot = { layer: null, splicedAt: null };
    return {
      ...subject,
      owner: replacementOwner(subject.owner),
      slots: { reference: [], strict: [slot] },
    };
  }

  #assembly(accumulator: Accumulator, intervals: boolean): Assembly {
    const { request, saes } = this.options.facts;
    const subjects = saes.flatMap((one) =>
      one.measured === null
        ? []
        : [
            ...one.variants.map((_, variant) => this.#subject(one, variant)),
            ...(one.form === 'cross-layer' ? [this.#replaced(one)] : []),
          ],
    );
    return new Assembly(accumulator, request.metrics, {
      seed: request.seed,
      batchesAbove: this.options.batchesAbove,
      intervals: intervals && this.#asksFor('strict'),
      subjects,
    });
  }

  /** The SAEs' values so far. */
  results(accumulator: Accumulator, { intervals }: { intervals: boolean }): SaeResult[] {
    return this.#results(accumulator, this.#assembly(accumulator, intervals));
  }

  #results(accumulator: Accumulator, assembly: Assembly): SaeResult[] {
    const turned = new Set(this.options.turnedSkips?.() ?? []);
    return this.options.facts.saes.map((sae, index) =>
      this.#one(sae, { accumulator, assembly, isSkipTurned: turned.has(index) }),
    );
  }

  #one(
    sae: SaeFacts,
    {
      accumulator,
      assembly,
      isSkipTurned,
    }: { accumulator: Accumulator; assembly: Assembly; isSkipTurned: boolean },
  ): SaeResult {
    const { identity, form, error } = sae;
    const { kind, routing } = identity;
    const { request } = this.options.facts;
    const failed = (code: string, message: string): SaeResult => ({
      ...identity,
      error: { code, message },
      reference: null,
      strict: null,
      perLayer: null,
      sweep: null,
      notes: [],
    });
    if (sae.measured === null)
      return failed(error?.code ?? 'internal', error?.message ?? 'could not be loaded');
    const values = this.#values(sae, 0, assembly);
    const peers = this.#peers(sae, 0, accumulator);
    // RouteSAE uses its layers together, single-layer kinds have one.
    const isTogether = form === 'cross-layer';
    const perLayer =
      kind === 'MLSAE' || kind === 'Crosscoder'
        ? assembly.perLayer(this.#subject(sae), ownProtocols(request.protocol))
        : null;
    const sweep = sae.variants.slice(1).map(({ sparsity }, i): SweepPoint => ({
      ...sparsity,
      ...this.#values(sae, i + 1, assembly),
      ...this.#peers(sae, i + 1, accumulator).values,
    }));
    const replacement =
      isTogether && values.strict !== null
        ? { replacement: present(assembly.strict(this.#replaced(sae))) }
        : {};
    const wrong = notFinite({ ...values, perLayer, sweep, ...replacement });
    if (wrong !== null)
      return failed(
        'non-finite',
        `${wrong} is NaN or infinite. ` + causeOf(accumulator, this.#subject(sae), request),
      );
    return {
      ...identity,
      error: null,
      ...this.#positions(sae, accumulator),
      ...values,
      ...peers.values,
      perLayer,
      ...replacement,
      sweep: sweep.length === 0 ? null : sweep,
      notes: [
        ...sae.notes,
        ...(isSkipTurned ? [{ metric: 'checkpoint', ...turnedSkip }] : []),
        ...notesOn(values, {
          asked: request.metrics,
          kind,
          routing,
          hasNoReference: sae.hasNoReference,
        }),
        ...peers.notes,
      ],
    };
  }

  /** Positions that count under `strict`, and the share of special tokens in what was measured. */
  #positions(sae: SaeFacts, accumulator: Accumulator): Pick<SaeResult, 'positions' | 'specials'> {
    if (!this.#asksFor('strict')) return {};
    const { roles } = this.options.facts.request.dataset;
    return {
      positions: positionsOf(
        { exclusion: sae.exclusion, from: sae.excludedBy, roles },
        accumulator,
        sae.measured!.positions,
      ),
      specials: specialShares(accumulator, this.#subject(sae)),
    };
  }

  /** The values under the protocols of other tools that the request asks for. */
  #peers(
    sae: SaeFacts,
    variant: number,
    accumulator: Accumulator,
  ): { values: PeerResults; notes: Note[] } {
    const { request } = this.options.facts;
    const found = peersAmong(request.protocol).map((protocol) => {
      const measured = sae.measured!.peers?.find((one) => one.protocol === protocol);
      if (measured === undefined)
        return { protocol, values: null, notes: [{ metric: protocol, ...notOneHook }] };
      const subject = this.#subject(sae, variant);
      const { values, notes } = peerResult(accumulator, subject, measured);
      const isPadded = hasPadding(accumulator, request.dataset.seqLen);
      return {
        protocol,
        values,
        notes: [...notes, ...(isPadded ? [{ metric: protocol, ...paddedNote }] : [])],
      };
    });
    return {
      values: Object.fromEntries(found.map(({ protocol, values }) => [protocol, values])),
      notes: found.flatMap(({ notes }) => notes),
    };
  }

  #values(
    sae: SaeFacts,
    variant: number,
    assembly: Assembly,
  ): { reference: ReferenceValues | null; strict: StrictValues | null } {
    const subject = this.#subject(sae, variant);
    return {
      reference: this.#asksFor('reference') ? assembly.reference(subject) : null,
      strict: this.#asksFor('strict') ? assembly.strict(subject) : null,
    };
  }

  /** The whole result, with intervals, comparisons and findings. */
  result(
    accumulator: Accumulator,
    {
      data,
      timing,
      peakBytes,
      isStopped = false,
      devicePeakBytes,
      shards = {},
    }: {
      data: Omit<DataSummary, 'batches' | 'realTokens' | 'paddedTokens' | 'spliceSamples'>;
      timing: RunTiming;
      /** Most memory that a process of the run held. */
      peakBytes: number;
      /** Whether the run was stopped before all samples were done. */
      isStopped?: boolean;
      /** Most memory of the run's tensors on its CUDA device. */
      devicePeakBytes?: number | undefined;
      /** The plan of a run in shards, and the kinds of machines that computed them. */
      shards?: Pick<RunConfig, 'plan' | 'machines'>;
    },
  ): EvaluationResult {
    const { facts, decisions, identity } = this.options;
    const { request, model, files } = facts;
    const assembly = this.#assembly(accumulator, true);
    const results = this.#withVarianceIntervals(this.#results(accumulator, assembly), accumulator);
    const realTokens = (
      accumulator.column(cleanKey('strict', 'positions')) ?? new Float64Array()
    ).reduce((total, value) => total + value, 0);
    const positions = accumulator.sequences * request.dataset.seqLen;
    const failures = results.filter(({ error }) => error !== null).length;
    const devicePeak = devicePeakBytes === undefined ? {} : { devicePeakBytes };
    const { sequences, logits, lanes } = decisions.microBatch;
    const batches = this.#asksFor('strict')
      ? drawnBatches(accumulator, this.options.batchesAbove)
      : null;
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
        deviceName: facts.deviceName,
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
          libtorch: facts.versions.libtorch,
          node: process.versions.node,
        },
        ...(batches === null ? {} : { intervals: { batches } }),
        ...shards,
      },
      data: {
        ...data,
        warnings: [
          ...data.warnings,
          ...(batches === null ? [] : [aboutBatches(batches, this.options.batchesAbove)]),
        ],
        samples: accumulator.sequences,
        ...splicedOf(accumulator),
        batches: accumulator.batchSizes.length,
        realTokens,
        paddedTokens: positions - realTokens,
      },
      results,
      comparisons: this.#asksFor('strict') ? this.#comparisons(assembly, results) : [],
      timing: { ...timing, tokensPerSecond: realTokens / Math.max(timing.seconds, 1e-9) },
      memory: { peakBytes, ...devicePeak },
    };
    const withFindings = { ...body, findings: findings(body) };
    return { ...withFindings, summary: summarize(withFindings) };
  }

  /** The results, and if other tools' definitions were asked for, what tells them apart. */
  #withVarianceIntervals(results: readonly SaeResult[], accumulator: Accumulator): SaeResult[] {
    const { facts, batchesAbove } = this.options;
    if (peersAmong(facts.request.protocol).length === 0) return [...results];
    const subjects = facts.saes.map(({ variants, measured }) => ({
      owner: variants[0]!.owner,
      peers: measured?.peers ?? [],
    }));
    const { seed } = facts.request;
    const intervals = varianceIntervals(accumulator, subjects, { seed, batchesAbove });
    return results.map((sae, index) =>
      sae.error !== null || subjects[index]!.peers.length === 0
        ? sae
        : { ...sae, explainedVarianceCi95: intervals[index]! },
    );
  }

  /** Paired differences of the SAEs that have values. */
  #comparisons(assembly: Assembly, results: readonly SaeResult[]): Comparison[] {
    return assembly.comparisons(
      this.options.facts.saes.flatMap((one, index) => {
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
