/** Which strategy evaluates an SAE: decided by its kind. */
import { RouteSAE, type CrosscoderLike, type SAE } from '../../../sae/index.js';
import type { DType } from '../../../torch/index.js';
import type { BlockSite } from '../../../lm/index.js';
import { InsideBlock } from './block-site.js';
import { CrosscoderStrategy } from './crosscoder.js';
import { MultiLayer } from './multi-layer.js';
import { Routed } from './routed.js';
import { SingleLayer } from './single-layer.js';
import type { Strategy, Variant, Wanted } from './strategy.js';

export interface StrategyOptions {
  sae: SAE;
  /** The layers it is measured on; one for single-layer kinds. */
  layers: readonly number[];
  /**
   * Where inside the block an SAE on one site is; null or left out: the residual stream after it.
   */
  site?: BlockSite | null;
  routing: 'hard' | 'soft' | null;
  /** Blocks of the language model. */
  L: number;
  variants: readonly Variant[];
  wanted: Wanted;
  saeDtype: DType;
}

export function strategyFor({
  sae,
  layers,
  site = null,
  routing,
  L,
  variants,
  wanted,
  saeDtype,
}: StrategyOptions): Strategy {
  if (sae instanceof RouteSAE)
    return new Routed(sae, { layers, routing: routing ?? 'hard', saeDtype }, variants, wanted);
  if (sae.kind === 'Crosscoder')
    return new CrosscoderStrategy(sae as CrosscoderLike, layers, variants, wanted);
  if (sae.kind === 'MLSAE') return new MultiLayer(sae, layers, variants, wanted);
  if (site !== null) return new InsideBlock(sae, { site, layer: layers[0]! }, variants, wanted);
  return new SingleLayer(sae, layers[0]!, L, variants, wanted);
}
