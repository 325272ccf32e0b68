/**
 * Hook points: places of a block where activations are read or changed, and the names other
 * projects have for them. Loads nothing native.
 *
 * Layers count as everywhere here: block i in 1…L turns r_{i−1} into r_i. Other projects count
 * blocks from 0.
 */

/**
 * Inside a block: heads' outputs side by side, what attention adds, r between attention and MLP,
 * what the MLP adds.
 */
export const blockSites = ['attn_z', 'attn_out', 'resid_mid', 'mlp_out'] as const;
export type BlockSite = (typeof blockSites)[number];

export type HookPoint =
  /** r_layer, 0…L. */
  | { site: 'resid'; layer: number }
  /** Inside block `layer`, 1…L. */
  | { site: BlockSite; layer: number };

/** TransformerLens' and SAELens' names after `blocks.N.`. */
const transformerLens: Readonly<Record<string, (block: number) => HookPoint>> = {
  resid_pre: (block) => ({ site: 'resid', layer: block }),
  resid_post: (block) => ({ site: 'resid', layer: block + 1 }),
  resid_mid: (block) => ({ site: 'resid_mid', layer: block + 1 }),
  attn_out: (block) => ({ site: 'attn_out', layer: block + 1 }),
  mlp_out: (block) => ({ site: 'mlp_out', layer: block + 1 }),
  'attn.z': (block) => ({ site: 'attn_z', layer: block + 1 }),
  attn_z: (block) => ({ site: 'attn_z', layer: block + 1 }),
};

/** What a module of a Hugging Face model gives, after `layers.N` or `h.N`; its output is meant. */
const modules: Readonly<Record<string, BlockSite>> = {
  mlp: 'mlp_out',
  self_attn: 'attn_out',
  attention: 'attn_out',
  attn: 'attn_out',
  // their last layers, whose output is theirs
  'mlp.down_proj': 'mlp_out',
  'mlp.c_proj': 'mlp_out',
  'mlp.dense_4h_to_h': 'mlp_out',
  'self_attn.o_proj': 'attn_out',
  'attention.dense': 'attn_out',
  'attn.c_proj': 'attn_out',
};

/**
 * The hook point of a name: `blocks.5.hook_resid_post`, `blocks.5.attn.hook_z`, `model.layers.5`,
 * `gpt_neox.layers.5.mlp`, `transformer.h.5.attn`, `layers.5`, `hook_embed`, `embed_tokens`. Null
 * where the name means none of those.
 *
 * @example
 * parseHookName('blocks.5.hook_resid_pre'); // { site: 'resid', layer: 5 }: after block 5, before block 6 of 1…L
 */
export function parseHookName(name: string): HookPoint | null {
  if (
    /^(?:blocks\.0\.)?hook_embed$|^(?:model\.)?embed_tokens$|^(?:gpt_neox\.)?embed_in$/.test(name)
  )
    return { site: 'resid', layer: 0 };
  const lens = /^blocks\.(\d{1,5})(?:\.(.+))?$/.exec(name);
  if (lens !== null) {
    const point = (lens[2] ?? 'resid_post').replace(/(^|\.)hook_/, '$1'); // some leave `hook_` out
    return Object.hasOwn(transformerLens, point) ? transformerLens[point]!(Number(lens[1])) : null;
  }
  const module =
    /^(?:model\.|language_model\.|model\.language_model\.|language_model\.model\.|gpt_neox\.|transformer\.)?(?:layers|h)\.(\d{1,5})(?:\.(\w+(?:\.\w+)?))?$/.exec(
      name,
    );
  if (module === null) return null;
  const layer = Number(module[1]) + 1;
  if (module[2] === undefined) return { site: 'resid', layer };
  return Object.hasOwn(modules, module[2]) ? { site: modules[module[2]]!, layer } : null;
}
