/**
 * What a conversion gives: tensors to be written, a configuration, and what the format cannot hold.
 */
import type { Tensor } from '../../torch/index.js';

export interface Conversion {
  /** In float64, not yet row-major; they belong to the scope they were made in. */
  tensors: ReadonlyMap<string, Tensor>;
  /** Of formats that have one. */
  config: Record<string, unknown> | null;
  notes: string[];
}
