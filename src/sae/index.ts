/** SAEs: their kinds and formats, loading, computing, converting. */
export { applySAE, type AppliedSAE } from './apply.js';
export {
  convertCheckpoint,
  conversionTargets,
  type ConversionTarget,
  type Converted,
  type ConvertOptions,
} from './convert/convert.js';
export { CrossLayer, LayerSums } from './cross-layer.js';
export { Crosscoder } from './crosscoder.js';
export { Dictionary } from './dictionary.js';
export {
  activeCounts,
  firingCounts,
  withinPrefix,
  type Latents,
  type Override,
  type Sparsity,
} from './latents.js';
export { loadSAE, openSAE, type LoadSaeOptions, type OpenSaeOptions, type SAE } from './load.js';
export { type InputNormalization, type SaeInput } from './normalization.js';
export { chooseProducts, type ProductKind } from './product.js';
export { registry, type RegistryEntry } from './registry.js';
export { RoutedDictionary } from './routed.js';
export { type LatentRows } from './sae.js';
export { Transcoder } from './transcoder.js';
