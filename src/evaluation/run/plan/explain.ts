/**
 * Explains a request: its plan and how much is computed at once, without loading the language model
 * or reading the text.
 */
import { forwardCost } from '../../../lm/index.js';
import { chooseProducts } from '../../../sae/index.js';
import { cuda, devices } from '../../../torch/index.js';
import { resolveDevice } from '../device.js';
import { deviceMemory } from '../device-memory.js';
import { decide, loadEvaluated, wantedOf, type EvaluatedSae } from '../prepare.js';
import { peerRuns } from '../../peers.js';
import type { Strategy, Wanted } from '../../engine/strategies/strategy.js';
import { borrowTokenizer } from '../loading.js';
import { residencyOf } from '../residency.js';
import type { Decisions } from '../journal.js';
import { peersAmong, type EvaluationRequest } from '../../../schema/index.js';
import { validateRequest } from '../../request/resolve.js';
import { WeightCache } from '../weight-cache.js';
import { readRate } from './read-rate.js';
import { sizesOf, type RunSizes } from './sizes.js';
import { streamingOf, type Streaming } from './streaming.js';
import { makePlan, type Plan, type PlannedSae } from './plan.js';

export interface ExplainedRequest {
  plan: Plan;
  /** The plan of samples that are measured and not spliced; null if none is ever spliced. */
  measured: Plan | null;
  /** Most samples of the run, and the first of them that are spliced, if the request says so. */
  maxSamples: number;
  spliceSamples: number | undefined;
  decisions: Decisions;
  seqLen: number;
  device: string;
  /** Costs on disk and in time, if the run is divided. */
  sizes: RunSizes;
  /** How weights come in that do not fit; null if they fit. */
  streaming: Streaming | null;
}

/** @throws SaeEvalError if it could not be loaded. */
function planned({
  resolved,
  sae,
  strategy,
  error,
}: EvaluatedSae): PlannedSae & { strategy: Strategy } {
  if (sae === null || strategy === null) throw error!;
  return { label: resolved.label, sae, strategy };
}

/**
 * The plan of a request. SAEs are mapped, not read.
 * @throws SaeEvalError for what is wrong with the request, its files or the device; an SAE that
 *   cannot be loaded too.
 */
export async function explain(
  input: EvaluationRequest,
  {
    allowProgram = false,
    shardSamples,
  }: { allowProgram?: boolean; shardSamples?: number | undefined } = {},
): Promise<ExplainedRequest> {
  const { request, saes, model } = await validateRequest(input, { allowProgram });
  const device = resolveDevice(request.device, devices());
  const products = chooseProducts({ ...request, device });
  const loans = new WeightCache().open();
  try {
    const needsIds =
      peersAmong(request.protocol).length > 0 ||
      saes.some(({ excluding }) => excluding.exclusion.specials);
    const tokenizer = needsIds ? await borrowTokenizer(loans, model.path) : null;
    const specialIds = tokenizer?.specialIds ?? new Set<number>();
    const wanted = {
      ...wantedOf(request),
      peers: tokenizer === null ? [] : peerRuns(request, tokenizer),
    };
    const load = (own: Wanted): EvaluatedSae[] =>
      loadEvaluated(saes, {
        model,
        device,
        request,
        wanted: own,
        products,
        loans,
        specialIds,
      });
    const { seqLen, maxSamples } = request.dataset;
    const cost = await forwardCost(model, seqLen);
    const evaluated = load(wanted);
    const own = evaluated.map(planned);
    const plan = makePlan(own, { cost, wanted });
    const isSpliced = own.some(({ strategy }) => strategy.lanes.length > 0);
    const alone = { ...wanted, splice: false, zero: false, peers: [] };
    const measured = isSpliced ? makePlan(load(alone).map(planned), { cost, wanted: alone }) : null;
    const residency = await residencyOf(model, {
      request: { ...request, device },
      saes: saes.map(({ description }) => description),
      memory: deviceMemory(device, cuda.memory),
    });
    const decisions = decide({ ...request, device }, model, {
      evaluated,
      products,
      wanted,
      residency,
    });
    const strategies = own.map(({ strategy }) => strategy);
    const { layers } = model;
    const streaming = streamingOf(request, { residency, decisions, strategies, layers });
    const bytesPerSecond = streaming === null ? null : await readRate(model.path);
    return {
      plan,
      measured,
      maxSamples,
      spliceSamples: request.spliceSamples,
      sizes: sizesOf(
        { ...request, device },
        {
          plan,
          measured,
          wanted,
          shardSamples,
          reading:
            streaming === null || bytesPerSecond === null
              ? null
              : { bytesPerSecond, bytesFor: streaming.bytesFor },
          saes: own.map(({ sae: { m, d }, strategy }) => ({ strategy, m, d })),
        },
      ),
      decisions,
      streaming,
      seqLen,
      device,
    };
  } finally {
    loans.release();
  }
}
