/** Names of hook points of TransformerLens, SAELens and Hugging Face. */
import { hookNameOf, parseHookName } from '#src/lm/hook-names.js';
import { blockSites } from '#src/schema/index.js';
import { describe, expect, it } from 'vitest';

describe('names of hook points', () => {
  it.each([
    ['blocks.5.hook_resid_pre', { site: 'resid', layer: 5 }],
    ['blocks.5.hook_resid_post', { site: 'resid', layer: 6 }],
    ['blocks.0.hook_resid_pre', { site: 'resid', layer: 0 }],
    ['blocks.11.hook_resid_mid', { site: 'resid_mid', layer: 12 }],
    ['blocks.3.hook_attn_out', { site: 'attn_out', layer: 4 }],
    ['blocks.3.hook_mlp_out', { site: 'mlp_out', layer: 4 }],
    ['blocks.3.attn.hook_z', { site: 'attn_z', layer: 4 }],
    ['blocks.3.resid_post', { site: 'resid', layer: 4 }],
    ['blocks.3', { site: 'resid', layer: 4 }],
    ['blocks.3.attn_z', { site: 'attn_z', layer: 4 }],
    ['blocks.3.attn.z', { site: 'attn_z', layer: 4 }],
    ['model.layers.7.mlp.down_proj', { site: 'mlp_out', layer: 8 }],
    ['transformer.h.7.attn.c_proj', { site: 'attn_out', layer: 8 }],
    ['model.language_model.layers.7', { site: 'resid', layer: 8 }],
    ['hook_embed', { site: 'resid', layer: 0 }],
    ['model.layers.7', { site: 'resid', layer: 8 }],
    ['layers.7', { site: 'resid', layer: 8 }],
    ['layers.7.mlp', { site: 'mlp_out', layer: 8 }],
    ['gpt_neox.layers.7.attention', { site: 'attn_out', layer: 8 }],
    ['transformer.h.7.attn', { site: 'attn_out', layer: 8 }],
    ['model.layers.7.self_attn', { site: 'attn_out', layer: 8 }],
    ['embed_tokens', { site: 'resid', layer: 0 }],
    ['model.embed_tokens.output', { site: 'resid', layer: 0 }],
    ['model.layers.7.output', { site: 'resid', layer: 8 }],
    ['model.layers[7].output[0]', { site: 'resid', layer: 8 }],
    ['model.layers.7.input', { site: 'resid', layer: 7 }],
    ['model.layers.7.mlp.output', { site: 'mlp_out', layer: 8 }],
    ['model.layers.7.mlp.down_proj.output', { site: 'mlp_out', layer: 8 }],
    ['model.layers.7.self_attn.o_proj.input', { site: 'attn_z', layer: 8 }],
    ['model.layers.7.linear_attn.out_proj.input', { site: 'attn_z', layer: 8 }],
    ['model.layers.7.linear_attn', { site: 'attn_out', layer: 8 }],
    ['model.layers.7.block_sparse_moe.output', { site: 'mlp_out', layer: 8 }],
    ['language_model.model.layers.7.feed_forward.input', { site: 'ln2_out', layer: 8 }],
    ['gpt_neox.layers.7.attention.dense.input', { site: 'attn_z', layer: 8 }],
    ['transformer.h.7.attn.attention.out_proj', { site: 'attn_out', layer: 8 }],
    ['model.layers.7.post_feedforward_layernorm.output', { site: 'mlp_out', layer: 8 }],
    ['transformer.h.5.mlp.fc_out', { site: 'mlp_out', layer: 6 }],
    ['transformer.h.5.attn.out_proj.input', { site: 'attn_z', layer: 6 }],
    ['transformer.h.5.self_attention', { site: 'attn_out', layer: 6 }],
    ['transformer.wte', { site: 'resid', layer: 0 }],
    ['transformer.word_embeddings.output', { site: 'resid', layer: 0 }],
    ['model.decoder.layers.5', { site: 'resid', layer: 6 }],
    ['model.decoder.layers.5.fc2', { site: 'mlp_out', layer: 6 }],
    ['model.decoder.layers.5.fc2.input', { site: 'mlp_post', layer: 6 }],
    ['model.decoder.layers[5].self_attn.out_proj', { site: 'attn_out', layer: 6 }],
    ['model.layers.5.self_attn.dense', { site: 'attn_out', layer: 6 }],
    ['model.layers.5.post_self_attn_layernorm', { site: 'attn_out', layer: 6 }],
    ['model.layers.5.post_mlp_layernorm', { site: 'mlp_out', layer: 6 }],
    ['model.text_model.layers.5', { site: 'resid', layer: 6 }],
    ['mlp_out_layer_7', { site: 'mlp_out', layer: 8 }],
    ['model.layers.7.mlp.input', { site: 'ln2_out', layer: 8 }],
    ['model.layers.7.mlp.down_proj.input', { site: 'mlp_post', layer: 8 }],
    ['model.layers.7.pre_feedforward_layernorm.output', { site: 'ln2_out', layer: 8 }],
    ['transformer.h.7.ln_2', { site: 'ln2_out', layer: 8 }],
    ['blocks.3.hook_mlp_in', { site: 'mlp_in', layer: 4 }],
    ['blocks.3.ln2.hook_normalized', { site: 'ln2_normalized', layer: 4 }],
    ['blocks.3.mlp.hook_in', { site: 'ln2_out', layer: 4 }],
    ['blocks.3.mlp.hook_out', { site: 'mlp_out', layer: 4 }],
    ['blocks.3.mlp.hook_post', { site: 'mlp_post', layer: 4 }],
    ['blocks.3.ln1.hook_normalized', null],
    ['blocks.3.mlp.hook_pre', null],
    ['blocks.3.constructor', null],
    ['layers.3.constructor', null],
    ['layers.3.mlp.up_proj', null],
    ['blocks.3.hook_resid_', null],
    ['layers.999999999999', null],
    ['resid', null],
    ['', null],
  ])('%s', (name, expected) => {
    expect(parseHookName(name)).toEqual(expected);
  });
});

it('means the norm before the MLP by its name if no norms stand behind', () => {
  const name = 'model.layers.7.post_attention_layernorm';
  expect(parseHookName(name)).toEqual({ site: 'attn_out', layer: 8 });
  const here = { normsAfter: false };
  expect(parseHookName(name, here)).toEqual({ site: 'ln2_out', layer: 8 });
  expect(parseHookName(`${name}.input`, here)).toEqual({ site: 'mlp_in', layer: 8 });
});

it.each([
  'blocks.0.hook_resid_pre',
  'blocks.4.hook_resid_post',
  ...blockSites.map((site) => hookNameOf({ site, layer: 5 })),
])('%s is the name of its own hook point', (name) =>
  expect(hookNameOf(parseHookName(name)!)).toBe(name),
);
