/**
 * Hook points, the named places of a model at which activations are read or changed, under the
 * names that TransformerLens, SAELens and Hugging Face have for them.
 *
 * Layers count from 0 to L: block i in 1…L turns r_{i−1} into r_i. Other projects count blocks from
 * 0.
 */
import type { BlockSite } from '../schema/index.js';

export type { BlockSite };

export type HookPoint =
  /** Residual stream r_layer, layer 0…L. */
  | { site: 'resid'; layer: number }
  /** Site inside block `layer`, 1…L. */
  | { site: BlockSite; layer: number };

/** Names for an error that asks for one. */
export const hookNameExamples =
  'blocks.5.hook_resid_post, blocks.5.hook_mlp_out, blocks.5.attn.hook_z, model.layers.5.output ' +
  'or model.layers.5.mlp.output';

/** Sites of the names of TransformerLens and SAELens after `blocks.N.`, without `hook_`. */
const lensSites: Readonly<Record<string, BlockSite>> = {
  resid_mid: 'resid_mid',
  attn_out: 'attn_out',
  mlp_out: 'mlp_out',
  'mlp.out': 'mlp_out',
  'attn.z': 'attn_z',
  attn_z: 'attn_z',
  mlp_in: 'mlp_in',
  'ln2.normalized': 'ln2_normalized',
  'mlp.in': 'ln2_out',
  'mlp.post': 'mlp_post',
};

/** Hook point of a name of TransformerLens in a block, from 0; null for an unknown name. */
function inLensBlock(point: string, block: number): HookPoint | null {
  if (point === 'resid_pre') return { site: 'resid', layer: block };
  if (point === 'resid_post') return { site: 'resid', layer: block + 1 };
  return Object.hasOwn(lensSites, point) ? { site: lensSites[point]!, layer: block + 1 } : null;
}

/** Sites of the outputs of Hugging Face modules, by the names after `layers.N` or `h.N`. */
const outputs: Readonly<Record<string, BlockSite>> = {
  mlp: 'mlp_out',
  block_sparse_moe: 'mlp_out', // Mixtral's before transformers 5
  feed_forward: 'mlp_out', // Llama 4's
  'feed_forward.down_proj': 'mlp_out',
  self_attn: 'attn_out',
  linear_attn: 'attn_out',
  attention: 'attn_out',
  attn: 'attn_out',
  'attn.attention': 'attn_out',
  self_attention: 'attn_out',
  // The last layer of a module has the module's output.
  'mlp.down_proj': 'mlp_out',
  'mlp.c_proj': 'mlp_out',
  'mlp.dense_4h_to_h': 'mlp_out',
  'mlp.fc2': 'mlp_out',
  'mlp.fc_out': 'mlp_out',
  fc2: 'mlp_out',
  'self_attn.o_proj': 'attn_out',
  'linear_attn.out_proj': 'attn_out',
  'self_attn.dense': 'attn_out',
  'self_attn.out_proj': 'attn_out',
  'self_attention.dense': 'attn_out',
  'attention.dense': 'attn_out',
  'attn.c_proj': 'attn_out',
  'attn.out_proj': 'attn_out',
  'attn.attention.out_proj': 'attn_out',
  // Families with norms behind their modules; elsewhere the first is the norm before the MLP.
  post_attention_layernorm: 'attn_out',
  post_feedforward_layernorm: 'mlp_out',
  post_self_attn_layernorm: 'attn_out',
  post_mlp_layernorm: 'mlp_out',
  pre_feedforward_layernorm: 'ln2_out',
  ln_2: 'ln2_out',
};

/** Sites of the inputs of Hugging Face modules, by the same names. */
const inputs: Readonly<Record<string, BlockSite>> = {
  'self_attn.o_proj': 'attn_z',
  'linear_attn.out_proj': 'attn_z',
  'self_attn.dense': 'attn_z',
  'self_attn.out_proj': 'attn_z',
  'self_attention.dense': 'attn_z',
  'attention.dense': 'attn_z',
  'attn.c_proj': 'attn_z',
  'attn.out_proj': 'attn_z',
  'attn.attention.out_proj': 'attn_z',
  pre_feedforward_layernorm: 'mlp_in',
  ln_2: 'mlp_in',
  mlp: 'ln2_out',
  block_sparse_moe: 'ln2_out',
  feed_forward: 'ln2_out',
  'feed_forward.down_proj': 'mlp_post',
  'mlp.down_proj': 'mlp_post',
  'mlp.c_proj': 'mlp_post',
  'mlp.dense_4h_to_h': 'mlp_post',
  'mlp.fc2': 'mlp_post',
  'mlp.fc_out': 'mlp_post',
  fc2: 'mlp_post',
};

/** Family of models, as far as it decides what a module's name means. */
export interface ModuleMeaning {
  /**
   * Whether norms of Gemma 2's names stand behind attention and MLP. If not,
   * `post_attention_layernorm` is the norm before the MLP. Default true.
   */
  normsAfter?: boolean;
}

/** Prefixes of the models' transformers, then `layers.N` or `h.N`, then a module. */
const moduleName = new RegExp(
  '^(?:(?:model|language_model|model\\.language_model|language_model\\.model|gpt_neox|' +
    'transformer|model\\.decoder|decoder|model\\.text_model)' +
    '\\.)?(?:layers|h)\\.(\\d{1,5})(?:\\.(\\w+(?:\\.\\w+){0,4}))?$',
);

/** A module inside a block, or the block itself (''), and which side of it is meant. */
export interface ModuleName {
  /** Index of the block, from 0. */
  block: number;
  module: string;
  side: 'input' | 'output';
}

/** `model.layers.5.mlp.output` in its parts; null for a name that is no Hugging Face module's. */
export function parseModuleName(name: string): ModuleName | null {
  // nnsight writes `model.layers[5].output[0]`.
  const found = moduleName.exec(name.replace(/\[(\d{1,5})\]/g, '.$1'));
  if (found === null) return null;
  const side = /(?:^|\.)(input|output)(?:\.0)?$/.exec(found[2] ?? '');
  return {
    block: Number(found[1]),
    module: (found[2] ?? '').slice(0, side?.index),
    side: side?.[1] === 'input' ? 'input' : 'output',
  };
}

/** Index of a TransformerLens block and the name after it without `hook_`, or null. */
export function parseLensName(name: string): { block: number; point: string } | null {
  const found = /^blocks\.(\d{1,5})(?:\.(.+))?$/.exec(name);
  if (found === null) return null;
  // Some projects leave `hook_` out.
  const point = (found[2] ?? 'resid_post').replace(/(^|\.)hook_/, '$1');
  return { block: Number(found[1]), point };
}

const embedding = new RegExp(
  '^(?:blocks\\.0\\.)?hook_embed$|' +
    '^(?:(?:model|language_model|model\\.language_model|language_model\\.model|model\\.decoder|' +
    'decoder|model\\.text_model)\\.)?embed_tokens(?:\\.output)?$|' +
    '^(?:gpt_neox\\.)?embed_in(?:\\.output)?$|' +
    '^(?:transformer\\.)?(?:wte|word_embeddings)(?:\\.output)?$',
);

/**
 * Hook point of a name, such as `blocks.5.hook_resid_post`, `blocks.5.attn.hook_z`,
 * `model.layers.5`, `model.layers.5.mlp.output`, `gpt_neox.layers.5.mlp`, `transformer.h.5.attn`,
 * `layers.5`, `resid_post_layer_5`, `hook_embed` or `embed_tokens`; null for an unknown name.
 *
 * @example
 * // The residual stream after block 5 and before block 6, of 1…L.
 * parseHookName('blocks.5.hook_resid_pre'); // { site: 'resid', layer: 5 }
 */
export function parseHookName(
  name: string,
  { normsAfter = true }: ModuleMeaning = {},
): HookPoint | null {
  if (embedding.test(name)) return { site: 'resid', layer: 0 };
  const ofLibrary = /^(resid_pre|resid_mid|resid_post|attn_out|mlp_out)_layer_(\d{1,5})$/.exec(
    name,
  );
  if (ofLibrary !== null) return inLensBlock(ofLibrary[1]!, Number(ofLibrary[2]));
  const lens = parseLensName(name);
  if (lens !== null) return inLensBlock(lens.point, lens.block);
  const found = parseModuleName(name);
  if (found === null) return null;
  const { block, module, side } = found;
  if (module === '') return { site: 'resid', layer: side === 'input' ? block : block + 1 };
  if (module === 'post_attention_layernorm' && !normsAfter)
    return { site: side === 'input' ? 'mlp_in' : 'ln2_out', layer: block + 1 };
  const sites = side === 'input' ? inputs : outputs;
  return Object.hasOwn(sites, module) ? { site: sites[module]!, layer: block + 1 } : null;
}

/** Names of the sites inside a block as TransformerLens has them. */
const lensNames: Readonly<Record<BlockSite, string>> = {
  attn_z: 'attn.hook_z',
  attn_out: 'hook_attn_out',
  resid_mid: 'hook_resid_mid',
  mlp_in: 'hook_mlp_in',
  ln2_normalized: 'ln2.hook_normalized',
  ln2_out: 'mlp.hook_in',
  mlp_post: 'mlp.hook_post',
  mlp_out: 'hook_mlp_out',
};

/** TransformerLens' name of a hook point: `blocks.5.hook_mlp_out` for the MLP of block 6. */
export function hookNameOf({ site, layer }: HookPoint): string {
  if (site === 'resid')
    return layer === 0 ? 'blocks.0.hook_resid_pre' : `blocks.${layer - 1}.hook_resid_post`;
  return `blocks.${layer - 1}.${lensNames[site]}`;
}
