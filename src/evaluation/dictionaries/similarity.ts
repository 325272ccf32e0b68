/** PW-MCC and MMCS of two sets of latents, by any similarity (docs/reference/dictionaries.md). */
import { sharedFrom, type DictionarySimilarity } from '../../schema/index.js';
import { match, meanLargest, type MatchingOptions } from './matching.js';
import { absolute, nearest, type Similarities } from './similarities.js';

export interface SimilarityOptions extends MatchingOptions {
  /** Whether the size of a similarity counts alone; default false. */
  absolute?: boolean | undefined;
}

/** @param leftOut latents of either side that are not among the rows and columns. */
export function similarityOf(
  signed: Similarities,
  leftOut: readonly [number, number],
  { absolute: isAbsolute = false, ...options }: SimilarityOptions = {},
): DictionarySimilarity {
  const similarities = isAbsolute ? absolute(signed) : signed;
  const { rows, columns } = similarities;
  const sides = {
    latents: [rows, columns] as [number, number],
    leftOut: [...leftOut] as [number, number],
  };
  if (rows === 0 || columns === 0)
    return {
      ...sides,
      ...{ pairs: 0, pwMcc: null, shared: null, method: 'exact', gap: 0, candidates: null },
      ...{ mmcs: null, mmcsTurned: null },
    };
  const { turned } = similarities;
  const { values, method, gap, candidates } = match(
    rows <= columns ? similarities : turned,
    options,
  );
  const pairs = values.length;
  return {
    ...sides,
    pairs,
    pwMcc: values.reduce((sum, value) => sum + value, 0) / pairs,
    shared: values.filter((value) => value >= sharedFrom).length / pairs,
    method,
    gap,
    candidates,
    mmcs: meanLargest(nearest(similarities, 1)),
    mmcsTurned: meanLargest(nearest(turned, 1)),
  };
}
