/**
 * Multi-layer SAE (Lawson et al., "Residual Stream Analysis with Multi-Layer SAEs", 2024): one TopK
 * that is applied to each routed layer by itself. The layers are the evaluation's matter; the
 * forward pass is TopK's.
 */
import type { SaeTensors } from '../sae.js';
import { TopK } from './topk.js';

export class MLSAE extends TopK {
  constructor(tensors: SaeTensors, { k }: { k: number }) {
    super(tensors, { k, kind: 'MLSAE' });
  }
}
