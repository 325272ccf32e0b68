/**
 * Weights that PyTorch computes from other tensors: `torch.nn.utils.parametrizations` and the older
 * `weight_norm`, `spectral_norm` and pruning, which leave the parts in a state dict. A weight norm,
 * `w = g · v / ‖v‖`, is computed when it is opened. The code of every other parametrization is not
 * in the file, so its weight is opaque.
 */
import { contiguousStrides, type TensorEntry } from './entries.js';
import type { OpaqueValue } from './leaves.js';
import type { Checkpoint } from './read.js';

/** Whether `magnitude` can be the norms of `direction` over some of its dimensions. */
function isNorm(magnitude: readonly number[], direction: readonly number[]): boolean {
  return (
    magnitude.length === 0 ||
    (magnitude.length === direction.length &&
      magnitude.every((size, i) => size === 1 || size === direction[i]))
  );
}

/** Entry of a weight that a magnitude and a direction give; null if they are none. */
function weightNorm(
  name: string,
  magnitude: TensorEntry,
  direction: TensorEntry,
): TensorEntry | null {
  if (!isNorm(magnitude.shape, direction.shape)) return null;
  const strides = contiguousStrides(direction.shape);
  return { ...direction, name, strides, weightNorm: { magnitude, direction } };
}

const computed = (how: string): OpaqueValue => ({
  what:
    `a weight that ${how} computes by code that is not in the file; in Python, ` +
    'torch.nn.utils.parametrize.remove_parametrizations (or remove_weight_norm, ' +
    'remove_spectral_norm, prune.remove) before saving writes the weight itself',
  shape: null,
  isTensor: true,
  isModule: false,
  holdsTensors: false,
});

/** Name of the weight that a tensor is a part of; null for tensors that are no parts. */
export function weightOfPart(name: string): string | null {
  const found =
    /^(.*\.)?parametrizations\.([^.]+)\.(?:original[01]?|\d+\..+)$/.exec(name) ??
    /^(.*\.)?(weight)_(?:g|v|orig|mask|u)$/.exec(name);
  return found === null ? null : `${found[1] ?? ''}${found[2]}`;
}

/** The checkpoint with weights in place of their parts; names that exist already stay. */
export function withWeights(checkpoint: Checkpoint): Checkpoint {
  const { entries } = checkpoint;
  const weights = new Set<string>();
  for (const name of entries.keys()) {
    const weight = weightOfPart(name);
    if (weight !== null && !entries.has(weight)) weights.add(weight);
  }
  if (weights.size === 0) return checkpoint;
  const made = new Map(entries);
  const opaque = new Map(checkpoint.opaque);
  for (const weight of weights) {
    const dot = weight.lastIndexOf('.') + 1;
    const parts = `${weight.slice(0, dot)}parametrizations.${weight.slice(dot)}`;
    const magnitude = entries.get(`${parts}.original0`) ?? entries.get(`${weight}_g`);
    const direction = entries.get(`${parts}.original1`) ?? entries.get(`${weight}_v`);
    const entry =
      magnitude === undefined || direction === undefined
        ? null
        : weightNorm(weight, magnitude, direction);
    // `weight_v` and `weight_u` of the older spectral_norm stand beside `weight_orig`.
    if (entry !== null && !entries.has(`${weight}_orig`)) made.set(weight, entry);
    else {
      const how = entries.has(`${weight}_mask`)
        ? 'pruning'
        : entries.has(`${weight}_orig`)
          ? 'spectral_norm'
          : 'a parametrization';
      opaque.set(weight, computed(how));
    }
    for (const name of entries.keys()) if (weightOfPart(name) === weight) made.delete(name);
  }
  return { ...checkpoint, entries: made, opaque };
}
