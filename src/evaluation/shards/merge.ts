/** Merges the shards of a run to its result. Needs no weights and no libtorch. */
import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bilingual } from '../../bilingual.js';
import { SaeEvalError } from '../../errors.js';
import { Accumulator } from '../../metrics/accumulator.js';
import { metricsNamed } from '../../metrics/table.js';
import { latentsSummary } from '../latents/summary.js';
import type { EvaluationResult, LatentsSummary, RunConfig } from '../../schema/index.js';
import { packageVersion } from '../../version.js';
import type { RunFacts } from '../result/facts.js';
import { ResultBuilder } from '../result/result-builder.js';
import { writeSums } from '../result/sums-file.js';
import { located } from '../../hub-cache.js';
import { writeLatentsOfShards } from '../latents/latents-of-shards.js';
import { notWritten } from '../run/journal-keeper.js';
import type { Decisions } from '../run/journal.js';
import type { Decided } from './decided.js';
import type { FolderStore } from './folder-store.js';
import type { Shard, ShardPlan } from './plan.js';
import type { AboutShard } from './shard-file.js';

export interface MergeOptions {
  /** Whether the numbers may be of the shards that are there; the result then says so. */
  allowMissing?: boolean;
  /** File for the sums, a row for each sequence. */
  sums?: string;
  /** File for the latents table, if the request has `latents`. */
  latents?: string;
  /** Path of the request's model on this machine; default: as the request names it. */
  resolveModel?: (name: string) => string;
  /** Seconds that the run took by the clock; default the time of all devices together. */
  seconds?: number;
  /** Shards that are merged, and how many there are. */
  onShard?: (merged: number, shards: number) => void;
}

/** Looks at a shard that is not there, and milliseconds between them: lists may be old. */
const looks = 3;
const betweenLooks = 700;

async function missingOf(store: FolderStore, plan: ShardPlan): Promise<Set<number>> {
  let missing = store.missing(plan);
  for (let look = 1; look < looks && missing.length > 0; look++) {
    await delay(betweenLooks);
    missing = missing.filter((index) => !store.has(index));
  }
  return new Set(missing);
}

/** The shards of each range of batches, one for each group of SAEs. */
function byRange({ shards }: ShardPlan): Shard[][] {
  const ranges = new Map<number, Shard[]>();
  for (const shard of shards) {
    const [from] = shard.batches;
    ranges.set(from, [...(ranges.get(from) ?? []), shard]);
  }
  return [...ranges.values()];
}

/** A few numbers of a list. */
function fewOf(numbers: readonly number[]): string {
  return numbers.slice(0, 8).join(', ') + (numbers.length > 8 ? ', …' : '');
}

interface Merged {
  accumulator: Accumulator;
  about: readonly AboutShard[];
}

/** @throws SaeEvalError `storage-damaged` if a shard's sums are not of its batches. */
function checkBatches({ batchSizes }: Accumulator, shard: Shard, plan: ShardPlan): void {
  const { request, tokens } = plan;
  const [from, to] = shard.batches;
  const isRight =
    batchSizes.length === to - from &&
    batchSizes.every(
      (size, at) =>
        size === Math.min(request.batchSize, tokens.samples - (from + at) * request.batchSize),
    );
  if (!isRight)
    throw new SaeEvalError(
      'storage-damaged',
      `Shard ${shard.index} holds sums of other batches than the plan says. Remove its file; it ` +
        'will be computed again.',
    );
}

/** The sums of all ranges whose groups are all there, in the order of the text. */
function mergeShards(
  store: FolderStore,
  plan: ShardPlan,
  {
    missing,
    onShard,
  }: { missing: ReadonlySet<number>; onShard: MergeOptions['onShard'] | undefined },
): Merged {
  const accumulator = new Accumulator();
  accumulator.reserve(plan.tokens.samples);
  const about: AboutShard[] = [];
  for (const shards of byRange(plan)) {
    if (shards.some(({ index }) => missing.has(index))) continue;
    const parts = shards.map((shard) => {
      const { accumulator: part, ...rest } = store.get(shard.index);
      if (rest.plan !== plan.digest || rest.shard !== shard.index)
        throw new SaeEvalError(
          'storage-damaged',
          `${store.shardPath(shard.index)} is the shard of another plan. Remove it.`,
        );
      checkBatches(part, shard, plan);
      about.push(rest);
      onShard?.(about.length, plan.shards.length);
      return part;
    });
    accumulator.merge(Accumulator.beside(parts));
  }
  return { accumulator, about };
}

/** The facts of all groups as those of one run. */
function factsOf(decided: readonly Decided[], { groups, request }: ShardPlan): RunFacts {
  const [{ facts }] = decided as [Decided];
  const saes = request.saes.map((_, index) => {
    const group = groups.findIndex((members) => members.includes(index));
    return decided[group]!.facts.saes[groups[group]!.indexOf(index)]!;
  });
  return { ...facts, saes };
}

function machinesOf(about: readonly AboutShard[]): NonNullable<RunConfig['machines']> {
  const counts = new Map<string, { host: string; kind: string; shards: number }>();
  for (const { host, machine } of about) {
    const key = JSON.stringify([host, machine]);
    const one = counts.get(key) ?? { host, kind: machine, shards: 0 };
    one.shards += 1;
    counts.set(key, one);
  }
  return [...counts.values()].sort((a, b) => (a.host < b.host ? -1 : 1));
}

const mixedKinds: Bilingual = {
  en:
    'Machines of several kinds computed the shards (config.machines), so that another run may ' +
    'differ in the last digits.',
  zh: '各分片由不同种类的机器计算（见 config.machines），因此再次运行时最后几位数字可能不同。',
};

const withoutText: Bilingual = {
  en:
    'The contexts in the latents table have no text: the tokenizer of the model does not lie on ' +
    'the machine that merged the shards.',
  zh: '潜变量表中的上下文没有文本：合并分片的机器上没有该模型的分词器。',
};

/** The smallest micro-batch of all shards: memory may have run out in one. */
function leastDecisions(decisions: Decisions, about: readonly AboutShard[]): Decisions {
  const [least] = about
    .map(({ microBatch }) => microBatch)
    .sort((a, b) => a.sequences - b.sequences || a.logits - b.logits);
  return { ...decisions, microBatch: least ?? decisions.microBatch };
}

/**
 * The result of a run in shards.
 * @throws SaeEvalError `not-finished` naming shards that are missing, unless that is allowed;
 *   `storage-damaged`.
 */
export async function merge(
  store: FolderStore,
  { allowMissing = false, sums, latents, resolveModel, seconds, onShard }: MergeOptions = {},
): Promise<EvaluationResult> {
  const plan = store.plan();
  if (plan === null)
    throw new SaeEvalError(
      'file-not-found',
      `${store.folder}: there is no plan.json. Expected the folder of a run in shards.`,
    );
  const missing = await missingOf(store, plan);
  const decided = plan.groups.map((_, group) => store.decided(group));
  if (missing.size === plan.shards.length || (missing.size > 0 && !allowMissing))
    throw new SaeEvalError(
      'not-finished',
      `${store.folder}: ${missing.size} of ${plan.shards.length} shards are not there ` +
        `(${fewOf([...missing])}). Compute them` +
        (missing.size === plan.shards.length
          ? '.'
          : ', or give --allow-missing for the numbers of the others.'),
    );
  const absent = decided.findIndex((one) => one === null);
  if (absent >= 0)
    throw new SaeEvalError(
      'storage-damaged',
      `${store.folder}: the decisions of group ${absent} are not there. Compute one of its shards.`,
    );
  const { accumulator, about } = mergeShards(store, plan, { missing, onShard });
  const facts = factsOf(decided as Decided[], plan);
  const turned = new Set((decided as Decided[]).flatMap(({ turnedSkips }) => turnedSkips));
  const decisions = leastDecisions((decided[0] as Decided).decisions, about);
  const machines = machinesOf(about);
  const warnings = [
    ...new Map(
      about.flatMap((one) => one.warnings).map((text) => [text.en, text] as const),
    ).values(),
    ...(new Set(machines.map(({ kind }) => kind)).size > 1 ? [mixedKinds] : []),
    ...(missing.size > 0 ? [withoutSome(missing, plan)] : []),
  ];
  const identity = { id: plan.id, createdAt: plan.createdAt };
  if (sums !== undefined)
    writeSums(sums, {
      accumulator,
      request: facts.request,
      saes: facts.saes,
      metrics: metricsNamed(facts.request.metrics),
      id: plan.id,
      version: packageVersion,
      files: facts.files,
    });
  const { request } = facts;
  let found: LatentsSummary[] | undefined;
  // The file of another run may lie there.
  if (latents !== undefined) rmSync(latents, { force: true });
  if (latents !== undefined && request.latents !== undefined)
    try {
      const { hasText } = await writeLatentsOfShards(latents, {
        accumulator,
        saes: facts.saes,
        contexts: request.latents,
        seqLen: request.dataset.seqLen,
        tokens: store.tokensPath,
        recordBytes: plan.tokens.recordBytes,
        model: (resolveModel ?? ((name) => located(name, 'model')))(request.model),
        id: plan.id,
        version: packageVersion,
      });
      if (!hasText) warnings.push(withoutText);
      found = latentsSummary(accumulator, facts.saes);
    } catch (thrown) {
      warnings.push(notWritten(thrown, { en: 'latents table', zh: '潜变量表' }));
    }
  const computeSeconds = about.reduce((total, one) => total + one.seconds, 0);
  const devicePeaks = about.flatMap(({ devicePeakBytes }) => devicePeakBytes ?? []);
  const builder = new ResultBuilder({
    facts,
    decisions,
    identity,
    turnedSkips: () => [...turned],
  });
  const result = builder.result(accumulator, {
    data: { ...plan.data, warnings: [...plan.data.warnings, ...warnings] },
    timing: { seconds: seconds ?? computeSeconds, computeSeconds },
    peakBytes: about.reduce((most, one) => Math.max(most, one.peakBytes), 0),
    devicePeakBytes:
      devicePeaks.length === 0
        ? undefined
        : devicePeaks.reduce((most, one) => Math.max(most, one), 0),
    isStopped: missing.size > 0,
    shards: {
      plan: { digest: plan.digest, shards: plan.shards.length, merged: about.length },
      machines,
    },
  });
  return found === undefined ? result : { ...result, latents: found };
}

function withoutSome(missing: ReadonlySet<number>, { shards }: ShardPlan): Bilingual {
  const few = fewOf([...missing]);
  return {
    en:
      `${missing.size} of ${shards.length} shards are missing (${few}); the numbers are those of ` +
      'the others.',
    zh: `${shards.length} 个分片中缺少 ${missing.size} 个（${few}）；所列数值仅基于其余分片。`,
  };
}
