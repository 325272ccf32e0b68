/**
 * The product of a conversion: tensors to be written, a configuration, remarks on what is lost.
 */
import type { Tensor } from '../../torch/index.js';

export interface Conversion {
  /** In float64, not yet row-major; they belong to the scope they were made in. */
  tensors: ReadonlyMap<string, Tensor>;
  /** Configuration; null for formats without one. */
  config: Record<string, unknown> | null;
  notes: string[];
}
