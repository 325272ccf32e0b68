/** `sae-eval demo`: the eight kinds on the shipped model, checkpoints and text. */
import { demoRequest } from '../demo-request.js';
import { runRequest, type EvaluateFlags } from './evaluate.js';

export async function demo({
  from,
  ...options
}: EvaluateFlags & { out: string; from?: string }): Promise<void> {
  await runRequest(demoRequest({ from }), options);
}
