/** Names of modules whose meaning depends on the family of the model. */
import { hookIn, misplaced } from '#src/evaluation/request/misplaced.js';
import { readModelConfig } from '#src/lm/index.js';
import { describe, expect, it } from 'vitest';
import { root } from '../../lm/reference.js';

const reasonOf = async (folder: string, name: string): Promise<string | null> => {
  const model = await readModelConfig(`${root}test/golden/models-odd/${folder}`);
  return misplaced(name, hookIn(model, name), { model, speaker: '`hook`' })?.message ?? null;
};

describe('a name that means another place in this family', () => {
  it.each([
    ['granite', 'model.layers.1.mlp', /before it is multiplied .*blocks\.1\.hook_mlp_out/],
    ['granite', 'model.layers.1.self_attn.output', /blocks\.1\.hook_attn_out/],
    ['glm4', 'model.layers.1.mlp', /before its norm/],
    ['olmo3', 'model.layers.1.self_attn', /before its norm/],
    ['smollm3', 'model.layers.1.post_feedforward_layernorm', /no norm behind its MLP/],
    ['glm4', 'model.layers.1.post_feedforward_layernorm', /no norm behind its MLP/],
    ['opt', 'model.decoder.embed_tokens', /adds position embeddings/],
    ['gpt2-unscaled', 'transformer.wte', /adds position embeddings/],
    ['opt-post-norm', 'blocks.1.ln2.hook_normalized', /have no such place/],
    ['phi', 'blocks.1.hook_resid_mid', /side by side/],
    ['gptj', 'blocks.1.hook_resid_mid', /side by side/],
  ])('%s: %s is refused', async (folder, name, expected) => {
    expect(await reasonOf(folder, name)).toMatch(expected);
  });

  it.each([
    ['granite', 'blocks.1.hook_mlp_out'],
    ['glm4', 'model.layers.1.post_mlp_layernorm'],
    ['glm4', 'model.layers.1.post_self_attn_layernorm.output'],
    ['gptj', 'transformer.wte'],
    ['gptj', 'transformer.h.1.mlp.fc_out'],
    ['falcon', 'transformer.h.1.self_attention.dense'],
    ['opt', 'model.decoder.layers.1.fc2'],
    ['opt', 'blocks.1.ln2.hook_normalized'],
  ])('%s: %s is found', async (folder, name) => {
    expect(await reasonOf(folder, name)).toBeNull();
  });

  it('the norm before the MLP has a name that is behind attention elsewhere', async () => {
    const model = await readModelConfig(`${root}test/golden/models-odd/glm4`);
    expect(hookIn(model, 'model.layers.1.post_attention_layernorm')).toEqual({
      site: 'ln2_out',
      layer: 2,
    });
  });
});
