/**
 * Multimodal models: the file has the configuration of the text model as a section. On text alone
 * they compute what their text model computes, which is of one of the families.
 */
import type { ConfigKeys } from './config-keys.js';
import type { JsonFields } from './json-fields.js';

interface Wrapper {
  /** `model_type` of the text model if `text_config` does not say it. */
  text: string;
  /** Whether the head is tied if the file does not say it. */
  tied: boolean;
}

/** Multimodal models by `model_type`, with the defaults of transformers' configuration classes. */
const wrappers: ReadonlyMap<string, Wrapper> = new Map([
  ['gemma3', { text: 'gemma3_text', tied: true }],
  ['mistral3', { text: 'mistral', tied: true }],
  ['llava', { text: 'llama', tied: false }],
  ['llava_next', { text: 'llama', tied: false }],
  ['llava_onevision', { text: 'qwen2', tied: false }],
  ['internvl', { text: 'qwen2', tied: true }],
  ['idefics3', { text: 'llama', tied: false }],
  ['smolvlm', { text: 'llama', tied: false }],
  ['qwen2_vl', { text: 'qwen2_vl_text', tied: false }],
  ['qwen2_5_vl', { text: 'qwen2_5_vl_text', tied: false }],
  ['qwen3_vl', { text: 'qwen3_vl_text', tied: false }],
  ['llama4', { text: 'llama4_text', tied: false }],
  ['qwen3_5', { text: 'qwen3_5_text', tied: false }],
  ['qwen3_5_moe', { text: 'qwen3_5_moe_text', tied: false }],
]);

/** `model_type` of all multimodal models. */
export const multimodalTypes: readonly string[] = [...wrappers.keys()];

/** Prefixes of the names of a text model's weights in the files of a multimodal model. */
export const multimodalPrefixes: readonly string[] = [
  'model.language_model.',
  'language_model.model.',
  'language_model.',
  'model.text_model.',
];

/** Keys beside `text_config`. */
export const multimodalKeys: ConfigKeys = {
  used: ['text_config'],
  idle: [
    ...['vision_config', 'mm_tokens_per_image', 'image_seq_length', 'image_seq_len'],
    ...['image_token_index', 'image_token_id', 'image_token', 'video_token_index'],
    ...['video_token_id', 'vision_token_id', 'vision_start_token_id', 'vision_end_token_id'],
    ...['boi_token_index', 'eoi_token_index', 'boi_token_id', 'eoi_token_id'],
    ...['vision_feature_layer', 'vision_feature_select_strategy', 'vision_aspect_ratio'],
    ...['image_grid_pinpoints', 'use_image_newline_parameter', 'spatial_merge_size'],
    ...['projector_hidden_act', 'projector_hidden_size', 'multimodal_projector_bias'],
    ...['projector_intermediate_size'],
    ...[
      'language_model_only',
      'downsample_factor',
      'downsample_ratio',
      'scale_factor',
      'perceiver_config',
    ],
  ],
};

export interface TextModel {
  /** Configuration of the text model, with its `model_type`. */
  text: JsonFields;
  /** Whether it is a part of a multimodal model's file. */
  multimodal: boolean;
}

/** Configuration of the text model in a file: a section, or the whole file. */
export function textModel(file: JsonFields): TextModel {
  const wrapper = wrappers.get(file.string('model_type', null) ?? '');
  if (wrapper === undefined) return { text: file, multimodal: false };
  // The first files of Qwen 2 VL have the fields of the text model beside those of the images.
  const section = file.section('text_config');
  const text = section ?? file;
  const said = [file, text].find((fields) => fields.has('tie_word_embeddings'));
  return {
    text: text.with({
      model_type: section?.string('model_type', wrapper.text) ?? wrapper.text,
      tie_word_embeddings: said?.boolean('tie_word_embeddings', wrapper.tied) ?? wrapper.tied,
    }),
    multimodal: true,
  };
}
