/**
 * The evaluation of the TypeScript API: in a child process, so that the caller's event loop stays
 * free.
 */
import { ComputeProcess } from './host.js';
import type { EvaluationRequest, EvaluationResult, Progress, SaeResult } from '../schema/index.js';
import { validateRequest } from '../evaluation/request/resolve.js';

export interface EvaluateOptions {
  /** Cancels within a batch; the promise rejects with `cancelled`. */
  signal?: AbortSignal;
  /**
   * Stops within a batch and keeps what was done: the promise resolves with a result over those
   * samples, whose `status` is `cancelled` and `stopped` true. If no sample is done it rejects with
   * `cancelled`. With `journal`, the same request continues after the batches that were finished.
   */
  stop?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Numbers as they stand after a batch. */
  onResult?: (results: SaeResult[]) => void;
  /**
   * File to which finished batches are written; a run that was killed continues from it. Removed by
   * the caller.
   */
  journal?: string;
  /** File for the sums of the run, a row for each sequence (docs/reference/sums.md). */
  sums?: string;
  /**
   * File for the latents table, if the request has `latents`: Parquet, a row for each latent
   * (docs/reference/latents.md).
   */
  latents?: string;
  /** Whether the model may be a TorchScript program, which is code of its author; default false. */
  allowProgram?: boolean;
}

/**
 * Evaluates SAEs on a language model. Paths are taken as they stand.
 *
 * @example
 * const result = await evaluate({
 *   model: 'checkpoints/tiny-llama',
 *   dataset: { path: 'checkpoints/eval', maxSamples: 20, seqLen: 64 },
 *   saes: [{ kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 }],
 * });
 * @throws SaeEvalError with the fields of the request that are wrong, or the reason the run failed.
 */
export function evaluate(
  request: EvaluationRequest,
  options: EvaluateOptions = {},
): Promise<EvaluationResult> {
  return evaluateIn(new ComputeProcess(), request, options);
}

/** The same in a process that the caller made; it is closed at the end. */
export async function evaluateIn(
  compute: ComputeProcess,
  request: EvaluationRequest,
  options: EvaluateOptions = {},
): Promise<EvaluationResult> {
  try {
    compute.prepare();
    const validated = await validateRequest(request, {
      allowProgram: options.allowProgram ?? false,
    });
    return await compute.run(validated.request, options);
  } finally {
    await compute.close();
  }
}
