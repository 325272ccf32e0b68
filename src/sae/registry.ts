/** The registry of the eight kinds: their facts, and SAEs from tensors at hand. */
import type { Tensor } from '../torch/index.js';
import type { FamilySettings, Kind, SaeSizes } from './kinds/kind.js';
import { kinds, type SaeKind } from './kinds/kinds.js';
import { createSAE, type SAE } from './load.js';
import { products } from './product.js';

export interface RegistryEntry extends Kind {
  kind: SaeKind;
  /** Makes the SAE of a file of the RouteSAE family; takes over the tensors. */
  create(tensors: ReadonlyMap<string, Tensor>, sizes: SaeSizes, settings: FamilySettings): SAE;
}

function entryOf(kind: Kind & { kind: SaeKind }): RegistryEntry {
  return {
    ...kind,
    create: (tensors, sizes, settings) =>
      createSAE(kind.form(sizes, settings), {
        take(name) {
          const tensor = tensors.get(name);
          if (tensor === undefined) throw new Error(`tensor '${name}' was not given`);
          return tensor;
        },
        products: products.float32,
        identity: { kind: kind.kind, format: 'routesae', hookPoint: null },
      }),
  };
}

/** The eight kinds by name. */
export const registry = Object.fromEntries(
  kinds.map((kind) => [kind.kind, entryOf(kind)]),
) as Readonly<Record<SaeKind, RegistryEntry>>;
