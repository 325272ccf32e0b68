/** `sae-eval demo`: the eight kinds on the shipped model, checkpoints and text. */
import { demoRequest } from '../demo-request.js';
import { runRequest, type EvaluateFlags } from './evaluate.js';

export async function demo(options: EvaluateFlags & { out: string }): Promise<void> {
  await runRequest(demoRequest(), options);
}
