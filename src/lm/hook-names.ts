/**
 * Hook points, the named places of a model at which activations are read or changed, under the
 * names that TransformerLens, SAELens and Hugging Face have for them.
 *
 * Layers count from 0 to L: block i in 1…L turns r_{i−1} into r_i. Other projects count blocks from
 * 0.
 */

/**
 * Sites inside a block, in the order of computation: the outputs of the heads side by side, the
 * term that attention adds to the residual stream, the residual stream between attention and MLP,
 * the term that the MLP adds.
 */
export type BlockSite = 'attn_z' | 'attn_out' | 'resid_mid' | 'mlp_out';

export type HookPoint =
  /** Residual stream r_layer, layer 0…L. */
  | { site: 'resid'; layer: number }
  /** Site inside block `layer`, 1…L. */
  | { site: BlockSite; layer: number };

/** Names of TransformerLens and SAELens after `blocks.N.`, without `hook_`. */
const transformerLens: Readonly<Record<string, (block: number) => HookPoint>> = {
  resid_pre: (block) => ({ site: 'resid', layer: block }),
  resid_post: (block) => ({ site: 'resid', layer: block + 1 }),
  resid_mid: (block) => ({ site: 'resid_mid', layer: block + 1 }),
  attn_out: (block) => ({ site: 'attn_out', layer: block + 1 }),
  mlp_out: (block) => ({ site: 'mlp_out', layer: block + 1 }),
  'attn.z': (block) => ({ site: 'attn_z', layer: block + 1 }),
  attn_z: (block) => ({ site: 'attn_z', layer: block + 1 }),
};

/**
 * Prefixes of the models' transformers, then `layers.N` or `h.N`, then a module with at most one
 * dot.
 */
const moduleName = new RegExp(
  '^(?:(?:model|language_model|model\\.language_model|language_model\\.model|gpt_neox|' +
    'transformer)' +
    '\\.)?(?:layers|h)\\.(\\d{1,5})(?:\\.(\\w+(?:\\.\\w+)?))?$',
);

/** Sites of the outputs of Hugging Face modules, by the names after `layers.N` or `h.N`. */
const modules: Readonly<Record<string, BlockSite>> = {
  mlp: 'mlp_out',
  self_attn: 'attn_out',
  attention: 'attn_out',
  attn: 'attn_out',
  // The last layer of a module has the module's output.
  'mlp.down_proj': 'mlp_out',
  'mlp.c_proj': 'mlp_out',
  'mlp.dense_4h_to_h': 'mlp_out',
  'self_attn.o_proj': 'attn_out',
  'attention.dense': 'attn_out',
  'attn.c_proj': 'attn_out',
};

/**
 * Hook point of a name, such as `blocks.5.hook_resid_post`, `blocks.5.attn.hook_z`,
 * `model.layers.5`, `gpt_neox.layers.5.mlp`, `transformer.h.5.attn`, `layers.5`, `hook_embed` or
 * `embed_tokens`; null for an unknown name.
 *
 * @example
 * // The residual stream after block 5 and before block 6, of 1…L.
 * parseHookName('blocks.5.hook_resid_pre'); // { site: 'resid', layer: 5 }
 */
export function parseHookName(name: string): HookPoint | null {
  if (
    /^(?:blocks\.0\.)?hook_embed$|^(?:model\.)?embed_tokens$|^(?:gpt_neox\.)?embed_in$/.test(name)
  )
    return { site: 'resid', layer: 0 };
  const lens = /^blocks\.(\d{1,5})(?:\.(.+))?$/.exec(name);
  if (lens !== null) {
    // Some projects leave `hook_` out.
    const point = (lens[2] ?? 'resid_post').replace(/(^|\.)hook_/, '$1');
    return Object.hasOwn(transformerLens, point) ? transformerLens[point]!(Number(lens[1])) : null;
  }
  const module = moduleName.exec(name);
  if (module === null) return null;
  const layer = Number(module[1]) + 1;
  if (module[2] === undefined) return { site: 'resid', layer };
  return Object.hasOwn(modules, module[2]) ? { site: modules[module[2]]!, layer } : null;
}
