/**
 * Keys and tensors of SAELens' files, over its versions: before version 2 `cfg.json` was the whole
 * configuration of a training run, until version 6 a flat one, since then it has `metadata`.
 */
import { all, Refused, type Keys, type Vocabulary } from './vocabulary.js';

/** TransformerLens' settings for loading a model. */
const modelSettings: Keys = {
  ...all('honored', 'center_writing_weights', 'fold_value_biases'),
  ...all('honored', 'refactor_factored_attn_matrices'),
  // They change weights behind the sites that are read, or the logits by a constant.
  ...all('harmless', 'fold_ln', 'center_unembed'),
  // How the same model is loaded.
  ...all('harmless', 'device', 'dtype', 'torch_dtype', 'n_devices', 'move_to_device'),
  ...all('harmless', 'trust_remote_code', 'default_padding_side', 'default_prepend_bos'),
  ...all('harmless', 'first_n_layers', 'low_cpu_mem_usage', 'device_map', 'attn_implementation'),
};

/** What is said of the model and of the text, in `metadata` or beside the other keys. */
const ofTheModel: Keys = {
  ...all('honored', 'hook_name', 'hook_name_out', 'prepend_bos', 'exclude_special_tokens'),
  ...all('honored', 'seqpos_slice', 'l0'),
  model_from_pretrained_kwargs: modelSettings,
  hook_head_index: 'honored',
  hook_head_index_out: new Refused('a transcoder to one head of attention', [null]),
  ...all('harmless', 'model_name', 'model_class_name', 'hook_layer', 'hook_layer_out'),
  ...all('harmless', 'dataset_path', 'dataset_trust_remote_code', 'context_size'),
  ...all('harmless', 'neuronpedia_id', 'sae_lens_version', 'sae_lens_training_version'),
  ...all('harmless', 'sequence_separator_token', 'disable_concat_sequences'),
  ...all('honored', 'hf_hook_name', 'hf_hook_name_out'),
};

/** Settings of a training run and of its record. */
const training: Keys = {
  // Data and the store of activations.
  ...all('harmless', 'streaming', 'is_dataset_tokenized', 'use_cached_activations'),
  ...all('harmless', 'cached_activations_path', 'n_batches_in_buffer', 'training_tokens'),
  ...all('harmless', 'finetuning_tokens', 'finetuning_method', 'store_batch_size_prompts'),
  ...all('harmless', 'store_batch_size', 'train_batch_size', 'train_batch_size_tokens'),
  ...all('harmless', 'train_batch_size_samples', 'total_training_tokens', 'act_store_device'),
  ...all('harmless', 'total_training_samples', 'mixing_fraction', 'activations_mixing_fraction'),
  // How it ran.
  ...all('harmless', 'device', 'seed', 'autocast', 'autocast_lm', 'compile_llm', 'compile_sae'),
  ...all('harmless', 'llm_compilation_mode', 'sae_compilation_mode', 'model_kwargs', 'verbose'),
  ...all('harmless', 'model_batch_size', 'resume', 'resume_from_checkpoint', 'output_path'),
  ...all('harmless', 'checkpoint_path', 'n_checkpoints', 'save_final_checkpoint', 'logger'),
  ...all('harmless', 'from_pretrained_path', 'hook_eval', 'hook_point_eval', 'n_eval_batches'),
  ...all('harmless', 'eval_batch_size_prompts', 'eval_every_n_wandb_logs', 'log_to_wandb'),
  ...all('harmless', 'log_activations_store_to_wandb', 'log_optimizer_state_to_wandb'),
  ...all('harmless', 'wandb_project', 'wandb_id', 'run_name', 'wandb_entity', 'model_name_path'),
  ...all('harmless', 'wandb_log_frequency', 'tokens_per_buffer', 'hf_repo_id'),
  // Starting values and constraints of the weights.
  ...all('harmless', 'expansion_factor', 'b_dec_init_method', 'normalize_sae_decoder'),
  ...all('harmless', 'decoder_orthogonal_init', 'decoder_heuristic_init', 'decoder_init_norm'),
  ...all('harmless', 'decoder_heuristic_init_norm', 'init_encoder_as_decoder_transpose'),
  // Losses.
  ...all('harmless', 'mse_loss_normalization', 'l1_coefficient', 'l1_warm_up_steps', 'lp_norm'),
  ...all('harmless', 'scale_sparsity_penalty_by_decoder_norm', 'l0_coefficient'),
  ...all('harmless', 'l0_warm_up_steps', 'pre_act_loss_coefficient', 'aux_loss_coefficient'),
  ...all('harmless', 'use_ghost_grads', 'noise_scale', 'ghost_grads', 'topk_threshold_lr'),
  ...all('harmless', 'jumprelu_init_threshold', 'jumprelu_bandwidth', 'jumprelu_tanh_scale'),
  ...all('harmless', 'jumprelu_sparsity_loss_mode', 'use_sparse_activations'),
  ...all('harmless', 'matryoshka_steps', 'use_matryoshka_aux_loss'),
  ...all('harmless', 'dead_feature_window', 'dead_feature_threshold', 'feature_sampling_window'),
  ...all('harmless', 'feature_sampling_method', 'feature_reinit_scale', 'resample_batches'),
  // The optimizer.
  ...all('harmless', 'adam_beta1', 'adam_beta2', 'lr', 'lr_scheduler_name', 'lr_warm_up_steps'),
  ...all('harmless', 'lr_end', 'lr_decay_steps', 'n_restart_cycles'),
};

export const vocabulary: Vocabulary = {
  keys: {
    ...training,
    ...ofTheModel,
    metadata: ofTheModel,
    meta: ofTheModel,
    ...all('honored', 'architecture', 'd_in', 'd_sae', 'd_out', 'dtype', 'apply_b_dec_to_input'),
    ...all('honored', 'normalize_activations', 'norm_scaling_factor'),
    ...all('honored', 'activation_normalization_factor', 'rescale_acts_by_decoder_norm', 'k'),
    ...all('honored', 'finetuning_scaling_factor', 'activation_fn_str', 'activation_fn'),
    ...all('honored', 'hook_point', 'hook_point_layer', 'layer_norm_epsilon'),
    ...all('honored', 'n_heads', 'n_attn_layers', 'sae_diff_type', 'kval_topk', 'tied_weights'),
    bottleneck_factor: 'honored',
    ...all('honored', 'residual_threshold', 'max_iterations', 'stop_on_duplicate_support'),
    matryoshka_widths: 'honored',
    activation_fn_kwargs: { k: 'honored' },
    sae_eval: all('honored', 'keeps_negative', 'decoder_norm', 'by_magnitude'),
    hook_point_head_index: 'honored',
    reshape_activations: new Refused('a reshaping of activations', [null, 'none', 'hook_z']),
    use_error_term: new Refused('reconstructions to which their error is added'),
    use_tied_weights: new Refused('a decoder that is the encoder'),
  },
  tensors: {
    ...all('honored', 'W_enc', 'W_dec', 'b_enc', 'b_dec', 'threshold', 'log_threshold'),
    ...all('honored', 'b_gate', 'b_mag', 'r_mag'),
    ...all('setting', 'scaling_factor', 'finetuning_scaling_factor'),
    ...all('setting', 'topk_threshold'),
    'attn_layers.*': 'honored',
    sparsity: 'harmless',
    W_skip: 'honored',
    b_dec_out: new Refused('a transcoder, whose output has a bias of its own'),
  },
};
