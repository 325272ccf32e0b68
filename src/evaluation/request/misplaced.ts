/** Reasons why a language model cannot be measured at a hook point. */
import type { ErrorCode } from '../../errors.js';
import type { ModelConfig } from '../../lm/config.js';
import { familyNamed } from '../../lm/families/index.js';
import { hookNameExamples, parseHookName, type HookPoint } from '../../lm/hook-names.js';
import { unreachedHook } from '../../lm/unreached-hooks.js';

/** A name as it stands in a message. */
export const shown = (name: string): string => name.slice(0, 80);

/** The hook point of a name as that model's family means it; null for an unknown name. */
export function hookIn({ family }: ModelConfig, name: string): HookPoint | null {
  const normsAfter = familyNamed(family)?.normsAfter;
  return parseHookName(name, normsAfter === undefined ? {} : { normsAfter });
}

/**
 * Reason why the model has no such hook point, with the code of the error, or null. `speaker`: who
 * names it, `the file` or `hook`.
 */
export function misplaced(
  name: string,
  hook: HookPoint | null,
  {
    model: { layers: L, family, parallelResidual },
    speaker,
  }: { model: ModelConfig; speaker: string },
): { code: ErrorCode; message: string } | null {
  const wrong = (message: string, code: ErrorCode = 'sae-option') => ({ code, message });
  const named = `${speaker} names the hook point ${shown(name)}`;
  if (hook === null) {
    const what = unreachedHook(name);
    return what === null
      ? wrong(`unknown hook point ${shown(name)}; expected one such as ${hookNameExamples}`)
      : wrong(
          `${named}, ${what}; SAEs are measured on residual streams, on what attention and the ` +
            `MLP read and add to them, on the heads' outputs and on the neurons of the MLP ` +
            `(${hookNameExamples})`,
        );
  }
  if (hook.layer > L)
    return wrong(
      `${named}, layer ${hook.layer} here; the model has ${L} blocks: it was trained on another ` +
        'model',
      'sae-width',
    );
  if ((family === 'gpt2' || family === 'gpt-neo') && /hook_embed$/.test(name))
    return wrong(
      `${named}, token embeddings alone; this model adds position embeddings before the first ` +
        'place that can be replaced, blocks.0.hook_resid_pre',
    );
  if (hook.site !== 'resid' && family === 'torchscript')
    return wrong(`${named}; only residual streams of a TorchScript program can be reached`);
  if (hook.site === 'resid_mid' && parallelResidual)
    return wrong(
      `${named}; attention and MLP run side by side in this model, with nothing between them`,
    );
  const { normsAfter = false, lacks = [] } = familyNamed(family) ?? {};
  if (hook.site !== 'resid' && lacks.includes(hook.site))
    return wrong(`${named}; the blocks of a ${family} have no such place`);
  // Behind a norm, a module's output is not what is added to the residual stream.
  if (/\.post_feedforward_layernorm\b/.test(name) && !normsAfter)
    return wrong(`${named}; a ${family} has no norm behind its MLP`);
  const isNorm = /\.post_(?:attention|feedforward)_layernorm\b/.test(name);
  const isModule = (hook.site === 'mlp_out' || hook.site === 'attn_out') && !isNorm;
  // TransformerLens' own names mean what is added, but for `mlp.hook_out`.
  if (isModule && normsAfter && /(?:^|\.)(?:layers|h)[.[]|mlp\.hook_out$/.test(name))
    return wrong(
      `${named}, the output of a module before its norm; only what comes after that norm can be ` +
        `replaced in a ${family}`,
    );
  return null;
}
