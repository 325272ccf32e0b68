/** Makes the plan of a run: reads its text once, to token ids on disk, and divides the batches. */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { openSamples } from '../../data/index.js';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { loadTokenizer } from '../../lm/index.js';
import { keepsWhole, type ResolvedRequest } from '../../schema/index.js';
import { beginOfSamples } from '../run/begin-of-samples.js';
import type { CheckedInputs } from '../run/inputs.js';
import { textOptions } from '../run/text-options.js';
import type { FolderStore } from './folder-store.js';
import { checkJoins, contentIdentities, inputsDigest } from './identity.js';
import {
  groupsOf,
  planDigest,
  planFormat,
  planVersion,
  rangesOf,
  shardsOf,
  type ShardPlan,
} from './plan.js';
import { PlanClaim } from './plan-claim.js';
import { TokensWriter } from './tokens-file.js';
import { partOf } from './write-once.js';

export interface PlanOptions {
  /** Samples of a shard, about; default 1,024, or fewer where the run has few. */
  shardSamples?: number | undefined;
  /** SAEs that a shard computes; default all. */
  saesPerShard?: number | undefined;
  id?: string;
  createdAt?: string;
  signal?: AbortSignal | undefined;
  /** Samples that are tokenized so far. */
  onSamples?: (samples: number) => void;
}

/** Milliseconds between looks at a plan that another process makes. */
const betweenLooks = 500;

/** Where each SAE reads, so that SAEs of one site share a shard. */
function sitesOf({ validated: { saes } }: CheckedInputs): string[] {
  return saes.map(({ layer, layers, site }) => JSON.stringify([layer ?? layers, site]));
}

/**
 * The plan of a run in a folder: the one that is there, if it is of the same request and files, or
 * a new one. Of several processes that begin at once one reads the text; the others wait for it.
 * @throws SaeEvalError `request-invalid`, `input-changed` if the folder has another run's;
 *   `dataset-invalid`, `tokenizer-invalid`, `storage-full`.
 */
export async function planRun(
  inputs: CheckedInputs,
  store: FolderStore,
  options: PlanOptions = {},
): Promise<ShardPlan> {
  store.open();
  const claim = new PlanClaim(store.folder);
  try {
    for (;;) {
      options.signal?.throwIfAborted();
      const plan = store.plan();
      if (plan !== null) {
        checkJoins(inputs, plan, store.folder);
        return plan;
      }
      if (claim.take()) return await makePlan(inputs, store, options);
      await delay(betweenLooks);
    }
  } finally {
    claim.release();
  }
}

/** @throws SaeEvalError `request-invalid` for a request that one process must compute whole. */
function refuseWhole(request: ResolvedRequest): void {
  const field = keepsWhole(request);
  if (field === null) return;
  const message = 'is not computed in shards: leave it out, or run without shards and workers';
  throw new SaeEvalError('request-invalid', `${field}: ${message}`, {
    fields: [{ path: field, message }],
  });
}

async function makePlan(
  inputs: CheckedInputs,
  store: FolderStore,
  { shardSamples, saesPerShard, id, createdAt, signal, onSamples }: PlanOptions,
): Promise<ShardPlan> {
  const { validated, files } = inputs;
  const { request, paths, model } = validated;
  refuseWhole(request);
  const tokenizer = await loadTokenizer(paths.model);
  const begins = beginOfSamples(validated, tokenizer);
  const stream = await openSamples(
    textOptions(validated, {
      tokenizer,
      vocabulary: model.vocabulary,
      prependBos: begins.prependBos,
    }),
  );
  const part = partOf(store.tokensPath);
  try {
    const writer = new TokensWriter(store.tokensPath, {
      part,
      seqLen: request.dataset.seqLen,
      hasRoles: (request.dataset.roles ?? []).length > 0,
    });
    let batches = 0;
    for await (const batch of stream) {
      signal?.throwIfAborted();
      writer.batch(batch);
      batches += 1;
      onSamples?.(writer.samples);
    }
    files.check();
    const ranges = rangesOf({ batches, batchSize: request.batchSize, shardSamples });
    const groups = groupsOf(sitesOf(inputs), saesPerShard);
    const digests = writer.digests(ranges);
    const { summary } = stream;
    const content = {
      inputs: inputsDigest(inputs),
      ...(begins.prependBos === undefined ? {} : { prependBos: begins.prependBos }),
      tokens: {
        samples: writer.samples,
        batches,
        recordBytes: writer.recordBytes,
        ranges: ranges.map((range, at) => ({ batches: range, sha256: digests[at]! })),
      },
      groups,
      shards: shardsOf(ranges, groups.length),
    };
    writer.finish();
    return store.putPlan({
      format: planFormat,
      version: planVersion,
      digest: planDigest(content),
      id: id ?? randomUUID(),
      createdAt: createdAt ?? new Date().toISOString(),
      request: request,
      files: contentIdentities(inputs),
      ...content,
      data: { ...summary, warnings: [...begins.warnings, ...summary.warnings] },
    });
  } catch (thrown) {
    throw signal?.aborted === true
      ? new SaeEvalError('cancelled', 'The run was cancelled.', { cause: thrown })
      : asSaeEvalError(thrown, `The plan in ${store.folder} on ${hostname()}`);
  } finally {
    rmSync(part, { force: true });
  }
}
