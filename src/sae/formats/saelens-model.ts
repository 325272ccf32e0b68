/** The part of SAELens' `cfg.json` on the model and the text: an SAE's place, its training. */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import { excludedTokens, exclusionOf, keptSlice } from './positions.js';

const modelSettings = z
  .looseObject({
    center_writing_weights: z.boolean().nullish(),
    fold_value_biases: z.boolean().nullish(),
    refactor_factored_attn_matrices: z.boolean().nullish(),
  })
  .nullish();
/** Keys on the model and the text: in `metadata`, before version 6 beside the rest. */
const ofTheModel = {
  hook_name: z.string().nullish(),
  hook_name_out: z.string().nullish(),
  hook_head_index: z.int().nonnegative().nullish(),
  hf_hook_name: z.string().nullish(),
  hf_hook_name_out: z.string().nullish(),
  model_from_pretrained_kwargs: modelSettings,
  exclude_special_tokens: excludedTokens,
  seqpos_slice: keptSlice,
  prepend_bos: z.boolean().nullish(),
  l0: z.unknown().optional(),
};
const metadata = z.looseObject(ofTheModel).nullish();

/** Keys of a configuration, wherever its version says them. */
export const modelWords = {
  ...ofTheModel,
  metadata,
  meta: metadata,
  hook_point: z.string().nullish(),
  hook_point_layer: z.int().nonnegative().nullish(),
  hook_point_head_index: z.int().nonnegative().nullish(),
};

type ModelConfig = z.infer<z.ZodObject<typeof modelWords>>;

/** Keys that decide whether an SAE reads one place as it is. */
interface OtherConfig {
  architecture: string;
  d_in: number;
  d_out?: number | null | undefined;
  apply_b_dec_to_input?: boolean | null | undefined;
  tied_weights?: boolean | null | undefined;
}

/** The file's values on the model and the text, wherever its version has them. */
export function ofModel({
  metadata,
  meta,
  ...config
}: ModelConfig & Pick<OtherConfig, 'architecture'>) {
  const word = <Key extends keyof typeof ofTheModel>(key: Key) =>
    metadata?.[key] ?? meta?.[key] ?? config[key];
  const l0 = word('l0');
  const hook = word('hook_name') ?? config.hook_point ?? null;
  const out = word('hook_name_out') || null;
  const isTranscoder = /transcoder/.test(config.architecture) || (out !== null && out !== hook);
  // SAELens writes TransformerLens' nearest name beside the module's: of what a transcoder reads,
  // that is another place.
  const named = (isTranscoder ? word('hf_hook_name') : null) || hook;
  return {
    // Files of version 1 leave the layer's place open.
    hook: named?.replace('{layer}', String(config.hook_point_layer ?? '{layer}')) ?? null,
    out: (isTranscoder ? word('hf_hook_name_out') : null) || out,
    head: word('hook_head_index') ?? config.hook_point_head_index ?? null,
    isTranscoder,
    settings: word('model_from_pretrained_kwargs') ?? null,
    prependBos: word('prepend_bos') ?? null,
    published: typeof l0 === 'number' && l0 > 0 && l0 < Infinity ? { publishedL0: l0 } : {},
    exclusion: exclusionOf(word('exclude_special_tokens'), word('seqpos_slice')),
  };
}

/** Refuses SAEs that read something else than a site of the model as it is. */
export function refuseOtherSites(
  config: OtherConfig,
  { file, hook, head, settings, isTranscoder }: ReturnType<typeof ofModel> & { file: string },
): void {
  const { architecture, d_in: d, d_out: dOut } = config;
  const refuse = (what: string): never => {
    throw new SaeEvalError('sae-kind', `${file}: ${what}.`);
  };
  if (config.tied_weights === true && !['temporal', 'matching_pursuit'].includes(architecture))
    refuse('tied_weights true is not supported: a decoder that is the encoder');
  if (isTranscoder && head !== null)
    refuse(`hook_head_index ${head} is not supported: a transcoder from one head of attention`);
  if (typeof dOut === 'number' && dOut !== d && !isTranscoder)
    refuse(
      `d_out ${dOut}: expected d_in, ${d}, of an autoencoder, or an architecture that is a ` +
        'transcoder',
    );
  if (isTranscoder && config.apply_b_dec_to_input === true)
    refuse(
      'apply_b_dec_to_input true: expected false, since the decoder bias of a transcoder belongs ' +
        'to another place than its input',
    );
  if (!hook?.endsWith('_z')) return;
  for (const setting of ['fold_value_biases', 'refactor_factored_attn_matrices'] as const)
    if (settings?.[setting] === true)
      refuse(
        `model_from_pretrained_kwargs.${setting} true is not supported at ${hook.slice(0, 60)}: ` +
          "it changes the heads' outputs",
      );
}
