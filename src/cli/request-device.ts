/** The options of the command line that say on what a request is computed. */
import type { EvaluationRequest } from '../schema/index.js';

/** The request with `--device` and `--dtype`. */
export function withDevice(
  input: unknown,
  { device, dtype }: { device?: string; dtype?: string },
): EvaluationRequest {
  if (input === null || typeof input !== 'object' || Array.isArray(input))
    return input as EvaluationRequest; // Validation refuses it later.
  return {
    ...input,
    ...(device === undefined ? {} : { device }),
    ...(dtype === undefined ? {} : { dtype }),
  } as EvaluationRequest;
}
