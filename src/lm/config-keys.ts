/**
 * What the keys of a `config.json` are taken for. A key that transformers 5 hears for a family is
 * used or refused. One that it does not hear changes nothing there and nothing here; unless it is
 * known to be about something else than the forward pass, a note of the result names it, since its
 * author may have expected more.
 */
import type { Bilingual } from '../schema/index.js';
import type { JsonFields } from './json-fields.js';

/** Keys of one family, by what they are taken for. */
export interface ConfigKeys {
  /** Keys that the family reads. */
  readonly used: readonly string[];
  /** Keys of the family that do not change the forward pass. */
  readonly idle?: readonly string[];
  /** Keys of the family in its rotary settings, beside {@link ropeKeys}. */
  readonly rope?: Pick<ConfigKeys, 'used' | 'idle'>;
  /** Keys that may have only these values, because the others are not supported. */
  readonly only?: Readonly<Record<string, readonly unknown[]>>;
}

/** Keys that every family reads. */
export const usedByAll = ['model_type', 'quantization_config', 'vocab_size', 'tie_word_embeddings'];

/** Keys of all families that may have only these values. */
export const onlyByAll: Readonly<Record<string, readonly unknown[]>> = { is_causal: [true] };

/** Keys, of all families, that are about something else than the forward pass. */
export const idleByAll = [
  ...['_name_or_path', 'architectures', 'auto_map', 'model_name', 'tokenizer_class'],
  ...['transformers_version', 'transformers.js_config', 'unsloth_version', 'unsloth_fixed'],
  ...['dtype', 'torch_dtype', 'use_bfloat16', 'torchscript', '_attn_implementation'],
  ...[
    'attn_implementation',
    '_attn_implementation_autoset',
    'use_flash_attn',
    '_flash_attn_2_enabled',
  ],
  ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'sep_token_id', 'unk_token_id'],
  ...['decoder_start_token_id', 'bos_token', 'eos_token', 'begin_suppress_tokens'],
  ...['initializer_range', 'initializer_factor', 'init_std', 'gradient_checkpointing'],
  ...['attention_dropout', 'hidden_dropout', 'attn_pdrop', 'embd_pdrop', 'resid_pdrop'],
  ...['resid_dropout', 'embed_dropout', 'classifier_dropout', 'hidden_dropout_prob', 'dropout'],
  ...['use_cache', 'cache_implementation', 'is_decoder', 'is_encoder_decoder', 'pretraining_tp'],
  ...['output_attentions', 'output_hidden_states', 'return_dict', 'chunk_size_feed_forward'],
  ...[
    'id2label',
    'label2id',
    'num_labels',
    'problem_type',
    'finetuning_task',
    'task_specific_params',
  ],
  ...['tie_encoder_decoder', 'pruned_heads', 'remove_invalid_values', 'output_scores'],
  ...['summary_activation', 'summary_first_dropout', 'summary_last_dropout'],
  ...['summary_proj_to_labels', 'summary_type', 'summary_use_proj'],
  ...['do_sample', 'early_stopping', 'max_length', 'min_length', 'num_beams', 'num_beam_groups'],
  ...['diversity_penalty', 'temperature', 'top_k', 'top_p', 'typical_p', 'repetition_penalty'],
  ...['length_penalty', 'no_repeat_ngram_size', 'encoder_no_repeat_ngram_size', 'bad_words_ids'],
  ...['num_return_sequences', 'return_dict_in_generate', 'forced_bos_token_id', 'suppress_tokens'],
  ...[
    'forced_eos_token_id',
    'exponential_decay_length_penalty',
    'prefix',
    'cross_attention_hidden_size',
  ],
  ...['tf_legacy_loss', 'use_mup', 'output_router_logits', 'router_aux_loss_coef'],
];

/** Keys that all families with rotary positions and gated MLPs read. */
export const llamaKeys = [
  ...['hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads'],
  ...['num_key_value_heads', 'head_dim', 'max_position_embeddings', 'rms_norm_eps', 'rope_theta'],
  ...['rope_parameters', 'rope_scaling', 'partial_rotary_factor'],
  'original_max_position_embeddings',
] as const;

/** Keys of the sections `rope_parameters` and `rope_scaling`. */
export const ropeKeys: ConfigKeys = {
  used: [
    ...['rope_theta', 'rope_type', 'type', 'factor', 'partial_rotary_factor'],
    ...['original_max_position_embeddings', 'attention_factor', 'mscale', 'mscale_all_dim'],
    ...['beta_fast', 'beta_slow', 'truncate', 'short_factor', 'long_factor'],
    ...['low_freq_factor', 'high_freq_factor', 'sliding_attention', 'full_attention'],
  ],
  // Positions of text are the same in all three sections of Qwen 2 VL's.
  idle: ['mrope_section', 'mrope_interleaved', 'finetuned'],
};

/** Whether a value says nothing: null, false, or nothing inside. */
function saysNothing(value: unknown): boolean {
  return (
    value === null ||
    value === false ||
    (typeof value === 'object' && Object.keys(value).length === 0)
  );
}

/** Keys that are not known, as `name: value`. */
function unknownKeys(fields: JsonFields, keys: ConfigKeys, at = ''): string[] {
  const known = new Set([...keys.used, ...(keys.idle ?? []), ...Object.keys(keys.only ?? {})]);
  return fields
    .names()
    .filter((name) => !known.has(name) && !saysNothing(fields.value(name)))
    .map((name) => {
      const value = JSON.stringify(fields.value(name));
      return `${at}${name}: ${value.length > 40 ? `${value.slice(0, 40)}…` : value}`;
    });
}

/**
 * Refuses keys with values that are not supported, and returns a note about those that are not
 * used.
 * @param fields the file, or the section of it that the family reads.
 * @throws SaeEvalError `model-unsupported`.
 */
export function checkConfigKeys(fields: JsonFields, family: ConfigKeys): Bilingual[] {
  const keys: ConfigKeys = {
    used: [...usedByAll, ...family.used],
    idle: [...idleByAll, ...(family.idle ?? [])],
    only: { ...onlyByAll, ...family.only },
  };
  for (const [name, values] of Object.entries(keys.only!)) {
    if (!fields.has(name) || values.includes(fields.value(name))) continue;
    fields.unsupported(name, values.map((value) => JSON.stringify(value)).join(' or '));
  }
  const inRope: ConfigKeys = {
    used: [...ropeKeys.used, ...(family.rope?.used ?? [])],
    idle: [...(ropeKeys.idle ?? []), ...(family.rope?.idle ?? [])],
  };
  const sections = ['rope_parameters', 'rope_scaling'].filter((name) => keys.used.includes(name));
  const unknown = [
    ...unknownKeys(fields, keys),
    ...sections.flatMap((name) => {
      const section = fields.value(name);
      return section !== null && typeof section === 'object'
        ? unknownKeys(fields.section(name)!, inRope, `${name}.`)
        : [];
    }),
  ];
  if (unknown.length === 0) return [];
  const most = 20;
  const listed = unknown.slice(0, most).join(', ') + (unknown.length > most ? ', …' : '');
  return [
    {
      en:
        `config.json has keys that transformers 5 does not use for this model_type, and that are ` +
        `not used here: ${listed}.`,
      zh: `config.json 中有 transformers 5 对此 model_type 不使用的键，这里同样不使用：${listed}。`,
    },
  ];
}
