/**
 * Names of hook points as formats spell them, in TransformerLens' words where the format has its
 * own.
 */

/**
 * What dictionary_learning's scripts call their sites (`resid_post_layer_12`); other names pass as
 * they are.
 */
export function submoduleHookPoint(name: string): string {
  const found = /^(resid_post|attn_out|mlp_out|resid_pre|resid_mid)_layer_(\d{1,4})$/.exec(name);
  return found === null ? name : `blocks.${found[2]}.hook_${found[1]}`;
}

/**
 * OpenAI's locations in GPT-2 (`resid_post_mlp`, `resid_post_attn`, …), which are the names of
 * folders: `{location}/autoencoders/{layer}.pt`.
 */
export function openAiHookPoint(path: string): string | null {
  const found =
    /(?:^|[/\\])(resid_post_mlp|resid_post_attn|resid_delta_mlp|resid_delta_attn)(?:_v\d+(?:_\w+)?)?[/\\]autoencoders[/\\](\d{1,4})\.pt$/.exec(
      path,
    );
  if (found === null) return null;
  const site = {
    resid_post_mlp: 'hook_resid_post',
    resid_post_attn: 'hook_resid_mid',
    resid_delta_mlp: 'hook_mlp_out',
    resid_delta_attn: 'hook_attn_out',
  }[found[1]!]!;
  return `blocks.${found[2]}.${site}`;
}
