/**
 * The parts of a result that are no sums over tokens of one SAE: they are computed after the
 * passes, by the one process that has the whole run.
 */
import { openSamples, type Sample } from '../../data/index.js';
import { SaeEvalError } from '../../errors.js';
import { Dictionary, RoutedDictionary, Transcoder } from '../../sae/index.js';
import { keepsWhole, type EvaluationResult } from '../../schema/index.js';
import { absorptionRun } from '../absorption/absorption-run.js';
import { letterWords, type LetterWords } from '../absorption/words.js';
import { compareRunDictionaries, type ComparedSae } from '../dictionaries/compare-run.js';
import { probeRun, readProbeDatasets, type LabelledDataset } from '../probes/probe-run.js';
import type { ReadSite } from '../engine/site-latents.js';
import type { ValidatedRequest } from '../request/resolve.js';
import type { Decisions } from './journal.js';
import type { LoadedRun } from './loaded-run.js';
import type { EvaluatedSae } from './prepare.js';
import { textOptions } from './text-options.js';

/** The place that an SAE on one place reads; null for SAEs over several. */
function readSite({ sae, resolved }: EvaluatedSae): ReadSite | null {
  const { layer, site, head, reads } = resolved;
  if (sae instanceof Transcoder) {
    const [read] = reads ?? [];
    if (read === undefined) return null;
    return read.site === null ? read.layer : { site: read.site, layer: read.layer };
  }
  if (layer === null) return null;
  const slice = head === undefined ? {} : { slice: { from: head * sae!.d, width: sae!.d } };
  return site === null ? layer : { site, layer, ...slice };
}

/** The SAEs of a run that read one place by one dictionary. */
export function placedSaes(loaded: LoadedRun): ComparedSae[] {
  return loaded.evaluated.flatMap((one) => {
    const { sae, strategy, resolved, variants } = one;
    if (!(sae instanceof Dictionary) || sae instanceof RoutedDictionary || strategy === null)
      return [];
    const site = readSite(one);
    if (site === null) return [];
    return [
      {
        sae,
        site,
        positions: strategy.positions,
        override: variants[0]!.sparsity,
        label: resolved.label,
        description: resolved.description,
      },
    ];
  });
}

async function* firstSamples(
  batches: AsyncIterable<readonly Sample[]>,
  count: number,
): AsyncGenerator<readonly Sample[]> {
  let left = count;
  for await (const batch of batches) {
    if (left <= 0) return;
    yield batch.slice(0, left);
    left -= batch.length;
  }
}

/** Values of a tensor of latents that are held at a time. */
const heldLatents = 2 ** 25;

/** Parts of a request beside the metrics. */
export class WholeRun {
  private constructor(
    private readonly loaded: LoadedRun,
    private readonly validated: ValidatedRequest,
    private readonly datasets: readonly LabelledDataset[],
    private readonly words: LetterWords | null,
  ) {}

  /**
   * Reads what is needed, before anything is computed.
   * @throws SaeEvalError `request-invalid` if the model's blocks are brought in one by one;
   *   `dataset-invalid` for labelled texts that cannot be used.
   */
  static async prepare(loaded: LoadedRun, validated: ValidatedRequest): Promise<WholeRun> {
    const { request, paths } = validated;
    const field = keepsWhole(request);
    if (field !== null && loaded.model.isStreamed)
      throw new SaeEvalError(
        'request-invalid',
        `${field}: expected a model whose weights fit on ${loaded.model.device}, which brings ` +
          'its blocks in one by one. Use a device with more memory, or leave the field out.',
        { fields: [{ path: field, message: 'needs a model whose weights fit on the device' }] },
      );
    const { model, tokenizer, begins } = loaded;
    const datasets = await readProbeDatasets(request, paths.probes, {
      tokenizer,
      vocabulary: model.vocabulary,
      prependBos: begins.prependBos,
    });
    const words =
      request.absorption === true
        ? await letterWords(tokenizer, {
            vocabulary: model.vocabulary,
            maxPositions: model.maxPositions,
            prependBos: begins.prependBos,
          })
        : null;
    return new WholeRun(loaded, validated, datasets, words);
  }

  /** Computes it, after the passes; `samples` is the number that was done. */
  async parts(options: {
    decisions: Decisions;
    samples: number;
    signal?: AbortSignal | undefined;
  }): Promise<Pick<EvaluationResult, 'dictionaries' | 'probes' | 'absorption'>> {
    const { request } = this.validated;
    if (keepsWhole(request) === null) return {};
    const { signal, decisions } = options;
    const saes = placedSaes(this.loaded);
    const shared = { model: this.loaded.model, saes, saeDtype: request.saeDtype, signal };
    const sequencesOf = (seqLen: number): number => {
      const each = seqLen * Math.max(1, ...saes.map(({ sae }) => sae.m)) * saes.length;
      const most = Math.floor(heldLatents / Math.max(1, each));
      return Math.max(1, Math.min(decisions.microBatch.sequences, most));
    };
    return {
      ...(request.dictionaries === true
        ? {
            dictionaries: await compareRunDictionaries(
              firstSamples(await this.#text(), options.samples),
              { ...shared, sequences: sequencesOf(request.dataset.seqLen) },
            ),
          }
        : {}),
      ...(this.words === null
        ? {}
        : {
            absorption: await absorptionRun(this.words, {
              ...shared,
              sequencesOf,
              seed: request.seed,
            }),
          }),
      ...(request.probes === undefined
        ? {}
        : {
            probes: await probeRun(this.datasets, {
              ...shared,
              specials: this.loaded.tokenizer.specialIds,
              sequencesOf,
              seed: request.seed,
            }),
          }),
    };
  }

  /** The text of the run once more. */
  async #text(): Promise<AsyncIterable<readonly Sample[]>> {
    const { model, tokenizer, begins } = this.loaded;
    return openSamples(
      textOptions(this.validated, {
        tokenizer,
        vocabulary: model.vocabulary,
        prependBos: begins.prependBos,
      }),
    );
  }
}
