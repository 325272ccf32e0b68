/** The span of a run in the compute process: without an OpenTelemetry SDK it does nothing. */
import { hasPreloads } from './preloads.js';

export interface ComputeSpan {
  /** The model and the SAEs are there. */
  loaded(): void;
  /** A batch was done; `samples` are those of the run so far. */
  batch(samples: number): void;
  end(error?: string): void;
}

const nothing: ComputeSpan = { loaded: () => {}, batch: () => {}, end: () => {} };

/**
 * The span of a run, a child of the evaluation's in the process that asked for it. An SDK can only
 * have been loaded ahead; without one the API is not loaded either, which takes a moment.
 */
export async function computeSpan(carrier: Record<string, string>): Promise<ComputeSpan> {
  return hasPreloads() ? (await import('./tracing.js')).startComputeSpan(carrier) : nothing;
}
