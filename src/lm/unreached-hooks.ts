/**
 * Hook points with well-known names that no SAE can be measured at here: what they are, in words,
 * so that they are refused by name and not taken for a neighbor.
 */
import { parseHookName, parseLensName, parseModuleName } from './hook-names.js';

type Meanings = readonly (readonly [RegExp, string])[];

const neurons = 'the neurons inside the MLP before the non-linearity or the gate';
const attentionInput = "the norm's output after its weight, which attention reads";
const projections = 'queries, keys or values of attention';

/** TransformerLens' names after `blocks.N.`, without the first `hook_`. */
const inLensBlock: Meanings = [
  [/^(?:attn_in|[qkv]_input)$/, 'what attention reads before its norm'],
  [/^ln1\.normalized$/, 'the normalized residual stream that attention reads'],
  [/^ln\d_post\.normalized$/, "a module's output, normalized, before the norm's weight"],
  [/^ln\d(?:_post)?\.scale$/, 'the scale of a norm'],
  [/^mlp\.(?:pre|pre_linear|mid|ln\..+)$/, neurons],
  [/^attn\.(?:rot_)?[qkv]$/, projections],
  [/^attn\.(?:pattern|attn_scores)$/, "attention's pattern"],
  [/^attn\.result$/, 'the outputs of single heads after the output projection'],
];

/** Hugging Face modules inside a block. */
const inModule: Meanings = [
  [/^mlp\.(?:gate_proj|up_proj|gate_up_proj|act_fn|act|c_fc|dense_h_to_4h|fc1|fc_in)$/, neurons],
  [
    /^(?:self_attn|attention|attn)(?:\.attention)?\.(?:(?:[qkv]|qkv)_proj|query_key_value|c_attn)$/,
    projections,
  ],
  [/^(?:self_attn|attention|attn)\.[qk]_(?:norm|layernorm)$/, projections],
  [/^(?:input_layernorm|ln_1)$/, attentionInput],
  [
    new RegExp(
      '^(?:mlp|block_sparse_moe|feed_forward)\\.' +
        '(?:gate|router|experts|shared_expert(?:_gate)?)(?:\\.|$)',
    ),
    'a part of a mixture of experts',
  ],
  [/^linear_attn\.(?:in_proj_\w+|conv1d|norm)$/, 'the inside of linear attention'],
];

/** Inputs of Hugging Face modules. */
const inModuleInput: Meanings = [
  [/^(?:self_attn|linear_attn|attention|attn|attn\.attention)$/, attentionInput],
];

/** Names outside the blocks. */
const outside: Meanings = [
  [
    /^hook_pos_embed$|^(?:transformer\.)?wpe$|(?:^|\.)embed_positions$/,
    'the position embeddings alone',
  ],
  [
    /^ln_final\b|^(?:model|language_model|transformer|gpt_neox)\.(?:norm|ln_f|final_layer_norm)\b/,
    'the output of the final norm',
  ],
  [/^unembed\b|^lm_head\b|^embed_out\b/, 'the logits'],
];

const meaning = (meanings: Meanings, name: string): string | null =>
  meanings.find(([pattern]) => pattern.test(name))?.[1] ?? null;

/**
 * What a well-known hook point is that cannot be measured or replaced; null for one that can, and
 * for an unknown name.
 *
 * @example
 * unreachedHook('blocks.5.attn.hook_q'); // 'queries, keys or values of attention'
 */
export function unreachedHook(name: string): string | null {
  if (parseHookName(name) !== null) return null;
  const lens = parseLensName(name);
  if (lens !== null) return meaning(inLensBlock, lens.point);
  const found = parseModuleName(name);
  if (found === null) return meaning(outside, name);
  const { module, side } = found;
  const ofInput = side === 'input' ? meaning(inModuleInput, module) : null;
  return ofInput ?? meaning(inModule, module);
}
