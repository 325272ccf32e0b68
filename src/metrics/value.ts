/** The shapes that a metric's value can have in a result. */

/** A mean over the data set, with a 95 % interval if one is defined. */
export interface Estimate {
  mean: number;
  ci95?: [low: number, high: number] | null | undefined;
}

/** Number of latents in each bin of the firing rate. */
export interface DensityHistogram {
  /** Edges of the bins, as log10 of the firing rate. */
  log10: number[];
  /** Latents in each bin. */
  count: number[];
  /** Latents that never fired. */
  dead: number;
}

/**
 * - `number`: the mean over batches of a formula.
 * - `estimate`: a formula over the whole data set.
 * - `list`: one number for each routed layer.
 * - `histogram`: latents by firing rate.
 */
export interface ShapeValues {
  number: number;
  estimate: Estimate;
  list: number[];
  histogram: DensityHistogram;
}
export type Shape = keyof ShapeValues;
