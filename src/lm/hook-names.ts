/**
 * Hook points: places of a block where activations are read or changed, and the names other projects have for them.
 * Loads nothing native.
 *
 * Layers count as everywhere here: block i in 1…L turns r_{i−1} into r_i. Other projects count blocks from 0.
 */

/** Inside a block: heads' outputs side by side, what attention adds, r between attention and MLP, what the MLP adds. */
export const blockSites = ['attn_z', 'attn_out', 'resid_mid', 'mlp_out'] as const;
export type BlockSite = (typeof blockSites)[number];

export type HookPoint =
  /** r_layer, 0…L. */
  | { site: 'resid'; layer: number }
  /** Inside block `layer`, 1…L. */
  | { site: BlockSite; layer: number };

/** TransformerLens' and SAELens' names after `blocks.N.`. */
const transformerLens: Readonly<Record<string, (block: number) => HookPoint>> = {
  hook_resid_pre: (block) => ({ site: 'resid', layer: block }),
  hook_resid_post: (block) => ({ site: 'resid', layer: block + 1 }),
  hook_resid_mid: (block) => ({ site: 'resid_mid', layer: block + 1 }),
  hook_attn_out: (block) => ({ site: 'attn_out', layer: block + 1 }),
  hook_mlp_out: (block) => ({ site: 'mlp_out', layer: block + 1 }),
  'attn.hook_z': (block) => ({ site: 'attn_z', layer: block + 1 }),
};

/** What a module of a Hugging Face model gives, after `layers.N` or `h.N`; its output is meant. */
const modules: Readonly<Record<string, BlockSite>> = {
  mlp: 'mlp_out', self_attn: 'attn_out', attention: 'attn_out', attn: 'attn_out',
};

/**
 * The hook point of a name: `blocks.5.hook_resid_post`, `blocks.5.attn.hook_z`, `model.layers.5`, `gpt_neox.layers.5.mlp`,
 * `transformer.h.5.attn`, `layers.5`, `hook_embed`, `embed_tokens`. Null where the name means none of those.
 *
 * @example
 * parseHookName('blocks.5.hook_resid_pre'); // { site: 'resid', layer: 5 }: after block 5, before block 6 of 1…L
 */
export function parseHookName(name: string): HookPoint | null {
  if (/^(?:blocks\.0\.)?hook_embed$|^(?:model\.)?embed_tokens$|^(?:gpt_neox\.)?embed_in$/.test(name)) return { site: 'resid', layer: 0 };
  const lens = /^blocks\.(\d{1,5})\.(.+)$/.exec(name);
  if (lens !== null) return Object.hasOwn(transformerLens, lens[2]!) ? transformerLens[lens[2]!]!(Number(lens[1])) : null;
  const module = /^(?:model\.|gpt_neox\.|transformer\.)?(?:layers|h)\.(\d{1,5})(?:\.(\w+))?$/.exec(name);
  if (module === null) return null;
  const layer = Number(module[1]) + 1;
  if (module[2] === undefined) return { site: 'resid', layer };
  return Object.hasOwn(modules, module[2]) ? { site: modules[module[2]]!, layer } : null;
}
