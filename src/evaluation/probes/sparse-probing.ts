/**
 * Sparse probing (Gurnee et al. 2023, arXiv:2305.01610), as SAEBench has it: how well a logistic
 * regression on the k latents whose means differ most tells a label (docs/reference/probes.md).
 */
import { probeSizes, type SparseProbing } from '../../schema/index.js';
import { crossValidate, selectByMeans, type Judged } from '../../statistics/cross-validation.js';
import type { SparseRows } from '../../statistics/features.js';
import type { LabelTask } from '../../statistics/label-task.js';
import type { DocumentMeans } from './document-means.js';
import type { Turn } from './turn.js';
import { withUncertainty, type UncertaintyOptions } from './uncertainty.js';

export interface ProbingOptions extends UncertaintyOptions {
  /** Names of the labels. */
  names: readonly string[];
}

type Accuracies = SparseProbing['latents'];

interface Probed {
  accuracies: Accuracies;
  judged: { k: number; judged: Judged }[];
}

/** Probes of every size on some features; sizes above their number are left out. */
async function probe(
  features: SparseRows,
  options: UncertaintyOptions,
  turn: Turn,
): Promise<Probed> {
  const { tasks, foldOf, folds } = options;
  const judged: Probed['judged'] = [];
  for (const k of probeSizes.filter((size) => size <= features.columns)) {
    await turn();
    judged.push({ k, judged: crossValidate(features, tasks, { folds, foldOf, k }) });
  }
  await turn();
  const all = crossValidate(features, tasks, { folds, foldOf, k: null });
  return {
    judged,
    accuracies: {
      top: judged.map((one) => ({ k: one.k, accuracy: withUncertainty(one.judged, options) })),
      all: withUncertainty(all, options),
    },
  };
}

/** The activations of a place, probed once for all SAEs there. */
export type ProbedActivations = Map<SparseRows, Accuracies>;

export async function sparseProbing(
  { latents, activations }: DocumentMeans,
  { names, ...options }: ProbingOptions,
  { known, turn }: { known: ProbedActivations; turn: Turn },
): Promise<SparseProbing> {
  const { tasks } = options;
  const own = await probe(latents, options, turn);
  const base = known.get(activations) ?? (await probe(activations, options, turn)).accuracies;
  known.set(activations, base);
  const shareOf = (right: Uint8Array): number =>
    right.reduce((sum, one) => sum + one, 0) / right.length;
  return {
    latents: own.accuracies,
    activations: base,
    labels: tasks.map((task: LabelTask, at) => ({
      label: names[task.label]!,
      latents: selectByMeans(latents, task, Math.max(...probeSizes)),
      accuracy: own.judged.map(({ k, judged }) => ({ k, mean: shareOf(judged.right[at]!) })),
    })),
  };
}
