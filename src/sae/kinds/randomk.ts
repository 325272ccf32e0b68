/**
 * RandomK: a TopK file on a layer drawn by the seed from the routed range, as the RouteSAE
 * reproduction does it. It shows what a dictionary is worth on a layer it was not trained on; its
 * features are not random.
 */
import { pythonRandint } from './python-random.js';
import type { SaeTensors } from '../sae.js';
import { TopK } from './topk.js';

export class RandomK extends TopK {
  constructor(tensors: SaeTensors, { k }: { k: number }) {
    super(tensors, { k, kind: 'RandomK' });
  }
}

/** The layer that `random.seed(seed); random.randint(S, E)` draws in Python. */
export function drawLayer({
  seed,
  first,
  last,
}: {
  seed: number;
  first: number;
  last: number;
}): number {
  return pythonRandint({ seed, low: first, high: last });
}
