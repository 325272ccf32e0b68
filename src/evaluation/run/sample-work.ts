/**
 * Work of the samples of a run, compared with each other: those that are spliced take far longer
 * than those that are only measured. The time that a run still takes is estimated by it.
 */
export interface SampleWork {
  /** Number of samples that are spliced, the first ones of the run. */
  spliced: number;
  /** Work of a sample that is only measured; that of one that is spliced is 1. */
  measured: number;
}

/** Work of a run whose samples are all alike. */
export const sameWork: SampleWork = { spliced: Infinity, measured: 1 };

/** Work of the samples from one index up to another. */
export function workOf(from: number, to: number, { spliced, measured }: SampleWork): number {
  const first = Math.max(0, Math.min(to, spliced) - from);
  return first + (to - from - first) * measured;
}
