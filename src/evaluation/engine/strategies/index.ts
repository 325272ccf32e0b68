/** The strategy that evaluates an SAE, by its form and its place. */
import type { BlockSite } from '../../../lm/index.js';
import {
  CrossLayer,
  Crosscoder,
  RoutedDictionary,
  Transcoder,
  type SAE,
} from '../../../sae/index.js';
import type { DType } from '../../../torch/index.js';
import { everyPosition, type PositionSet } from '../../positions.js';
import { InsideBlock } from './block-site.js';
import type { ChangedPlace } from './changed-place.js';
import { CrossLayerStrategy } from './cross-layer.js';
import { CrosscoderStrategy } from './crosscoder.js';
import { MultiLayer } from './multi-layer.js';
import { Routed } from './routed.js';
import { SingleLayer } from './single-layer.js';
import type { Strategy, Variant, Wanted } from './strategy.js';
import { TranscoderStrategy } from './transcoder.js';

export interface StrategyOptions {
  /** The layer of an SAE on one layer; null if it has several. */
  layer: number | null;
  /** The layers it is measured on. */
  layers: readonly number[];
  /** Site inside the block of its layer; default null, the residual stream after it. */
  site?: BlockSite | null;
  /** Places that an SAE reads that predicts others or several; default null. */
  reads?: readonly ChangedPlace[] | null;
  /** The one head whose output it reads there, from 0; default all of the site. */
  head?: number | undefined;
  /** Default `hard`. */
  routing?: 'hard' | 'soft';
  /** Number of blocks of the language model. */
  L: number;
  variants: readonly Variant[];
  wanted: Wanted;
  /** The positions that count under `strict`; default all. */
  positions?: PositionSet;
  saeDtype: DType;
}

export function strategyFor(
  sae: SAE,
  {
    layer,
    layers,
    site = null,
    reads = null,
    head,
    routing = 'hard',
    L,
    saeDtype,
    variants,
    wanted,
    positions = everyPosition,
  }: StrategyOptions,
): Strategy {
  const run = { variants, wanted, positions };
  if (sae instanceof Crosscoder) return new CrosscoderStrategy(sae, layers, run);
  if (sae instanceof RoutedDictionary)
    return new Routed(sae, { layers, routing, saeDtype, ...run });
  if (sae instanceof CrossLayer) {
    const predicts = layers.map((one) => ({ layer: one, site }));
    return new CrossLayerStrategy(sae, { reads: reads!, predicts, L, saeDtype }, run);
  }
  if (sae instanceof Transcoder)
    return new TranscoderStrategy(
      sae,
      { reads: reads![0]!, predicts: { layer: layer!, site } },
      run,
    );
  if (layer === null) return new MultiLayer(sae, layers, run);
  const slice = head === undefined ? {} : { slice: { from: head * sae.d, width: sae.d } };
  if (site !== null) return new InsideBlock(sae, { site, layer, ...slice }, run);
  return new SingleLayer(sae, layer, { layers: L, ...run });
}
