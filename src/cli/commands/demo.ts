/** `sae-eval demo`: the eight kinds on the shipped model, checkpoints and text. */
import { demoRequest } from '../demo-request.js';
import { runRequest, type EvaluateOptions } from './evaluate.js';

export async function demo(options: EvaluateOptions & { out: string }): Promise<void> {
  await runRequest(demoRequest(), options);
}
