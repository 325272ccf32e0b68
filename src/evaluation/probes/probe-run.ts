/** The labelled data sets of a request, probed with the SAEs of the run. */
import { readLabelled } from '../../data/labelled.js';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import type { LanguageModel } from '../../lm/index.js';
import {
  probeFolds,
  probeTasks,
  type ProbeTask,
  type ProbeDataset,
  type ProbeResult,
  type ResolvedRequest,
} from '../../schema/index.js';
import { foldsOf, rowsByLabel, taskOf } from '../../statistics/label-task.js';
import type { DType } from '../../torch/index.js';
import type { PlacedDictionary } from '../engine/site-latents.js';
import { documentMeans, type DocumentMeans } from './document-means.js';
import { tokenizeDocuments, type DocumentOptions, type TokenizedDocuments } from './documents.js';
import { Transcoder, type Dictionary } from '../../sae/index.js';
import { smallestCell, spuriousRemoval, type SpuriousOptions } from './spurious-removal.js';
import { targetedPerturbation } from './targeted-perturbation.js';
import { turnOf } from './turn.js';
import { sparseProbing, type ProbedActivations, type ProbingOptions } from './sparse-probing.js';

/** A labelled data set that was read. */
export interface LabelledDataset {
  dataset: ProbeDataset;
  /** Names of the labels. */
  names: readonly string[];
  /** Values of the second label; empty without one. */
  spuriousNames: readonly string[];
  documents: TokenizedDocuments;
  skippedRecords: number;
}

/** @throws SaeEvalError `dataset-invalid` if a label has fewer documents than there are folds. */
function checkCounts({ names, spuriousNames, documents, dataset }: LabelledDataset): void {
  if (spuriousNames.length > 0 && smallestCell(documents) < probeFolds)
    throw new SaeEvalError(
      'dataset-invalid',
      `${dataset.path}: expected at least ${probeFolds} documents of each pair of a label and a ` +
        `second label, found ${smallestCell(documents)} of one pair`,
    );
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
      spuriousNames: texts.spuriousNames,
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

type Probed = Omit<ProbeResult['saes'][number], 'sae'>;

/** Tasks of a data set whose entry names none. */
const usualTasks = ({ tasks, spuriousField }: ProbeDataset): readonly ProbeTask[] =>
  tasks ?? probeTasks.filter((one) => one !== 'spuriousRemoval' || spuriousField !== undefined);

async function probed(
  means: DocumentMeans,
  { sae, device }: { sae: Dictionary; device: string },
  {
    signal,
    known,
    tasks,
    probing,
    spurious,
  }: {
    signal: AbortSignal | undefined;
    known: ProbedActivations;
    tasks: readonly ProbeTask[];
    probing: ProbingOptions;
    spurious: SpuriousOptions;
  },
): Promise<Probed> {
  const none = { sparseProbing: null, targetedPerturbation: null, spuriousRemoval: null };
  if (!means.isFinite) {
    const message = 'Latents or activations are NaN or infinite: probes need finite ones.';
    return { ...none, error: { code: 'non-finite', message } };
  }
  // A transcoder writes elsewhere than it reads.
  const ablates = !(sae instanceof Transcoder);
  const does = (task: ProbeTask): boolean =>
    tasks.includes(task) && (ablates || task === 'sparseProbing');
  const turn = turnOf(signal);
  const decoder = { sae, device, turn };
  try {
    return {
      sparseProbing: does('sparseProbing')
        ? await sparseProbing(means, probing, { known, turn })
        : null,
      targetedPerturbation: does('targetedPerturbation')
        ? await targetedPerturbation(means, decoder, probing)
        : null,
      spuriousRemoval: does('spuriousRemoval')
        ? await spuriousRemoval(means, decoder, spurious)
        : null,
      error: null,
    };
  } catch (thrown) {
    signal?.throwIfAborted();
    const { code, message } = asSaeEvalError(thrown, 'The probes');
    return { ...none, error: { code, message } };
  }
}

async function probeDataset(
  { dataset, names, spuriousNames, documents, skippedRecords }: LabelledDataset,
  { saes, sequencesOf, seed, ...rest }: ProbeRunOptions,
): Promise<ProbeResult> {
  const { path, name = path, seqLen } = dataset;
  const { samples, labels, spurious } = documents;
  const rows = rowsByLabel(labels, names.length);
  const means = await documentMeans(samples, { ...rest, saes, sequences: sequencesOf(seqLen) });
  const folds = probeFolds;
  const options = {
    signal: rest.signal,
    known: new Map() as ProbedActivations,
    tasks: usualTasks(dataset),
    probing: {
      names,
      tasks: names.map((_, label) => taskOf(rows, label)),
      folds,
      foldOf: foldsOf(labels, names.length, folds),
      seed,
    },
    spurious: { labels, spurious, names, spuriousNames, folds, seed },
  };
  const { device } = rest.model;
  const found: ProbeResult['saes'] = [];
  for (const [at, { label, sae }] of saes.entries())
    found.push({ sae: label, ...(await probed(means[at]!, { sae, device }, options)) });
  return {
    name,
    path,
    labels: names.map((label, at) => ({ label, documents: rows[at]!.length })),
    skippedRecords,
    saes: found,
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
