/** The request of the demo: the eight kinds on the shipped model, checkpoints and text. */
import { join } from 'node:path';
import type { EvaluationRequest } from '../schema/index.js';
import { packageRoot } from '../torch/setup/paths.js';

const shipped = (name: string): string => join(packageRoot, 'checkpoints', name);
const lastBlock = 16;
const k = 16;

/** The request of the demo. */
export function demoRequest(): EvaluationRequest {
  return {
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), maxSamples: 150, seqLen: 256 },
    saes: [
      { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: lastBlock, k },
      { kind: 'RouteSAE', checkpoint: shipped('RouteSAE_tiny.pt'), k },
      { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k },
      { kind: 'Vanilla', checkpoint: shipped('Vanilla_tiny.pt'), layer: lastBlock },
      { kind: 'Gated', checkpoint: shipped('Gated_tiny.pt'), layer: lastBlock },
      { kind: 'JumpReLU', checkpoint: shipped('JumpReLU_tiny.pt'), layer: lastBlock },
      { kind: 'Crosscoder', checkpoint: shipped('Crosscoder_tiny.pt') },
      { kind: 'RandomK', checkpoint: shipped('TopK_tiny.pt'), k },
    ],
  };
}
