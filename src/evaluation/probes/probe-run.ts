/** The labelled data sets of a request, probed with the SAEs of the run. */
import { readLabelled } from '../../data/labelled.js';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import type { LanguageModel } from '../../lm/index.js';
import {
  probeFolds,
  type ProbeDataset,
  type ProbeResult,
  type ResolvedRequest,
} from '../../schema/index.js';
import { foldsOf, rowsByLabel, taskOf } from '../../statistics/label-task.js';
import type { DType } from '../../torch/index.js';
import type { PlacedDictionary } from '../engine/site-latents.js';
import { documentMeans, type DocumentMeans } from './document-means.js';
import { tokenizeDocuments, type DocumentOptions, type TokenizedDocuments } from './documents.js';
import { sparseProbing, type ProbedActivations, type ProbingOptions } from './sparse-probing.js';

/** A labelled data set that was read. */
export interface LabelledDataset {
  dataset: ProbeDataset;
  /** Names of the labels. */
  names: readonly string[];
  documents: TokenizedDocuments;
  skippedRecords: number;
}

/** @throws SaeEvalError `dataset-invalid` if a label has fewer documents than there are folds. */
function checkCounts({ names, documents, dataset }: LabelledDataset): void {
  for (const [label, rows] of rowsByLabel(documents.labels, names.length).entries())
    if (rows.length < probeFolds)
      throw new SaeEvalError(
        'dataset-invalid',
        `${dataset.path}: expected at least ${probeFolds} documents of each label, found ` +
          `${rows.length} of \`${names[label]!.slice(0, 100)}\``,
      );
}

/**
 * Reads and tokenizes the labelled data sets of a request.
 * @throws SaeEvalError `dataset-invalid`, `file-*`.
 */
export async function readProbeDatasets(
  { probes = [] }: Pick<ResolvedRequest, 'probes'>,
  paths: readonly string[],
  options: Omit<DocumentOptions, 'seqLen'>,
): Promise<LabelledDataset[]> {
  const all: LabelledDataset[] = [];
  for (const [index, dataset] of probes.entries()) {
    const texts = await readLabelled({ ...dataset, path: paths[index]!, name: dataset.path });
    const documents = await tokenizeDocuments(texts, { ...options, seqLen: dataset.seqLen });
    const read = {
      dataset,
      names: texts.names,
      documents,
      skippedRecords: texts.skipped + documents.skipped,
    };
    checkCounts(read);
    all.push(read);
  }
  return all;
}

export interface ProbeRunOptions {
  model: LanguageModel;
  saes: readonly (PlacedDictionary & { label: string })[];
  saeDtype: DType;
  /** Ids of special tokens. */
  specials: ReadonlySet<number>;
  /** Documents that go through the model together, of a number of tokens. */
  sequencesOf: (seqLen: number) => number;
  seed: number;
  signal?: AbortSignal | undefined;
}

function probed(
  means: DocumentMeans,
  options: ProbingOptions,
  known: ProbedActivations,
): Omit<ProbeResult['saes'][number], 'sae'> {
  if (!means.isFinite) {
    const message = 'Latents or activations are NaN or infinite: probes need finite ones.';
    return { sparseProbing: null, error: { code: 'non-finite', message } };
  }
  try {
    return { sparseProbing: sparseProbing(means, options, known), error: null };
  } catch (thrown) {
    const { code, message } = asSaeEvalError(thrown, 'The probes');
    return { sparseProbing: null, error: { code, message } };
  }
}

async function probeDataset(
  { dataset, names, documents, skippedRecords }: LabelledDataset,
  { saes, sequencesOf, seed, ...rest }: ProbeRunOptions,
): Promise<ProbeResult> {
  const { path, name = path, seqLen } = dataset;
  const { samples, labels } = documents;
  const rows = rowsByLabel(labels, names.length);
  const means = await documentMeans(samples, { ...rest, saes, sequences: sequencesOf(seqLen) });
  const options: ProbingOptions = {
    names,
    tasks: names.map((_, label) => taskOf(rows, label)),
    folds: probeFolds,
    foldOf: foldsOf(labels, names.length, probeFolds),
    seed,
  };
  const known: ProbedActivations = new Map();
  return {
    name,
    path,
    labels: names.map((label, at) => ({ label, documents: rows[at]!.length })),
    skippedRecords,
    saes: saes.map(({ label }, at) => ({ sae: label, ...probed(means[at]!, options, known) })),
  };
}

/** Probes every data set, one after the other. */
export async function probeRun(
  datasets: readonly LabelledDataset[],
  options: ProbeRunOptions,
): Promise<ProbeResult[]> {
  const results: ProbeResult[] = [];
  for (const dataset of datasets) results.push(await probeDataset(dataset, options));
  return results;
}
