/** SAEs: the registry, the eight kinds, and published SAEs. */
export {
  convertCheckpoint,
  conversionTargets,
  type ConversionTarget,
  type Converted,
  type ConvertOptions,
} from './convert/convert.js';
export { Crosscoder } from './kinds/crosscoder.js';
export { Gated } from './kinds/gated.js';
export { pre, type InputNormalization, type SaeInput } from './input.js';
export { JumpReLU } from './kinds/jumprelu.js';
export { activeCounts, firingCounts, type Latents, type Sparsity } from './latents.js';
export { inferKinds, kindLayout, resolveKind, type KindLayout, type SaeSizes } from './layout.js';
export { MLSAE } from './kinds/mlsae.js';
export { denormalize, normalize, type Normalized } from './normalize.js';
export { drawLayer, RandomK } from './kinds/randomk.js';
export { publishedKind, publishedKinds } from './published/kind.js';
export { loadPublished, type LoadPublishedOptions } from './load.js';
export { applySAE, type AppliedSAE } from './apply.js';
export { chooseProducts, withProducts, type Products } from './product.js';
export {
  createSAE,
  loadSAE,
  registry,
  type LoadSaeOptions,
  type RegistryEntry,
} from './registry.js';
export { RouteSAE, type Routing } from './kinds/routesae.js';
export type { CrosscoderLike, SAE } from './sae.js';
export { TopK } from './kinds/topk.js';
export { Vanilla } from './kinds/vanilla.js';
