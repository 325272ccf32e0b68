/** Reasons why a language model cannot be measured at a hook point. */
import type { ErrorCode } from '../../errors.js';
import type { ModelConfig } from '../../lm/config.js';
import { familyNamed } from '../../lm/families/index.js';
import { hookNameExamples, parseHookName, type HookPoint } from '../../lm/hook-names.js';
import { unreachedHook } from '../../lm/unreached-hooks.js';

/** Families that add embeddings of positions to those of tokens. */
const addsPositions: ReadonlySet<string> = new Set(['gpt2', 'gpt-neo', 'opt']);

/** A name as it stands in a message. */
export const shown = (name: string): string => name.slice(0, 80);

/** The hook point of a name as that model's family means it; null for an unknown name. */
export function hookIn({ family }: ModelConfig, name: string): HookPoint | null {
  const { normsAfter, normNames } = familyNamed(family) ?? {};
  return parseHookName(
    name,
    normsAfter === undefined ? {} : { normsAfter: normsAfter && normNames === undefined },
  );
}

/**
 * Reason why the model has no such hook point, with the code of the error, or null. `speaker`: who
 * names it, `the file` or `hook`.
 */
export function misplaced(
  name: string,
  hook: HookPoint | null,
  {
    model: { layers: L, family, parallelResidual, experts, lacks: lacking = [] },
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
  if (addsPositions.has(family) && /embed|wte/.test(name))
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
  if (hook.site === 'mlp_post' && experts?.inBlock[hook.layer - 1] === true)
    return wrong(
      `${named}; this MLP is a mixture of experts, whose neurons differ from token to token`,
    );
  const {
    normsAfter = false,
    lacks = [],
    normNames = ['post_attention_layernorm', 'post_feedforward_layernorm'],
    termsScaled = false,
  } = familyNamed(family) ?? {};
  if (hook.site !== 'resid' && [...lacks, ...lacking].includes(hook.site))
    return wrong(`${named}; the blocks of a ${family} have no such place`);
  // Behind a norm or a factor, a module's output is not what is added to the residual stream.
  const norm = /\.(post_(?:attention|feedforward|self_attn|mlp)_layernorm)\b/.exec(name)?.[1];
  const isTerm = hook.site === 'mlp_out' || hook.site === 'attn_out';
  const isNorm = norm !== undefined && isTerm;
  if (isNorm && !(normsAfter && normNames.includes(norm)))
    return wrong(
      `${named}; a ${family} has no norm ` +
        (norm.includes('att') ? 'of that name behind its attention' : 'behind its MLP'),
    );
  // TransformerLens' own names mean what is added, but for `mlp.hook_out`.
  const isModule = isTerm && !isNorm && /(?:^|\.)(?:layers|h)[.[]|mlp\.hook_out$/.test(name);
  if (isModule && normsAfter)
    return wrong(
      `${named}, the output of a module before its norm; only what comes after that norm can be ` +
        `replaced in a ${family}`,
    );
  if (isModule && termsScaled)
    return wrong(
      `${named}, the output of a module before it is multiplied by the factor of the residual ` +
        `stream; only what comes after that factor can be replaced in a ${family} ` +
        `(blocks.${hook.layer - 1}.hook_${hook.site})`,
    );
  return null;
}
