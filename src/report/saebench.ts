/**
 * Results in the layout of SAEBench's core evaluation (`eval_output_schema_core` of SAEBench 0.6):
 * a document for each SAE, so that tools that read its files read ours.
 */
import { SaeEvalError } from '../errors.js';
import type { PeerValues } from '../metrics/peers/fields.js';
import type { EvaluationResult, SaeResult } from '../schema/index.js';

/** The definition that the layout's numbers have. */
const protocol = 'saebench@0.6';

/** Number that SAEBench writes for one that is not there. */
const absent = -1;

export interface SaebenchDocument {
  label: string;
  /** The document, ready for JSON. */
  output: Record<string, unknown>;
}

/** Values by SAEBench's categories. */
function metricsOf(
  values: PeerValues,
  { samples, spliced, seqLen }: { samples: number; spliced: number; seqLen: number },
): Record<string, Record<string, number>> {
  const pick = (...names: (keyof PeerValues)[]): Record<string, number> =>
    Object.fromEntries(names.map((name) => [name, values[name] ?? absent]));
  return {
    model_behavior_preservation: pick('kl_div_score', 'kl_div_with_ablation', 'kl_div_with_sae'),
    model_performance_preservation: pick(
      'ce_loss_score',
      'ce_loss_with_ablation',
      'ce_loss_with_sae',
      'ce_loss_without_sae',
    ),
    reconstruction_quality: pick(
      'explained_variance',
      'explained_variance_legacy',
      'mse',
      'cossim',
    ),
    shrinkage: pick('l2_norm_in', 'l2_norm_out', 'l2_ratio', 'relative_reconstruction_bias'),
    sparsity: pick('l0', 'l1'),
    token_stats: {
      total_tokens_eval_reconstruction: spliced * seqLen,
      total_tokens_eval_sparsity_variance: samples * seqLen,
    },
    misc_metrics: pick(
      'freq_over_1_percent',
      'freq_over_10_percent',
      'normalized_freq_over_1_percent',
      'normalized_freq_over_10_percent',
      'average_max_encoder_cosine_sim',
      'average_max_decoder_cosine_sim',
      'frac_alive',
    ),
  };
}

/** Facts of an SAE, by the names of SAELens' configuration where it has some. */
function configOf(
  { kind, format, checkpoint, d, m, k, hookPoint, layer, normalization }: SaeResult,
  { config }: EvaluationResult,
): Record<string, unknown> {
  return {
    architecture: kind.toLowerCase(),
    d_in: d,
    d_sae: m,
    ...(k === null ? {} : { k }),
    hook_name: hookPoint ?? null,
    hook_layer: layer === undefined ? null : layer - 1,
    model_name: config.model,
    context_size: config.dataset.seqLen,
    dtype: config.saeDtype,
    normalize_activations: normalization ?? null,
    format: format ?? null,
    checkpoint,
  };
}

function documentOf(
  sae: SaeResult,
  result: EvaluationResult,
  values: PeerValues,
): Record<string, unknown> {
  const { id, createdAt, config, data } = result;
  const { seqLen } = config.dataset;
  const spliced = data.spliceSamples ?? data.samples;
  const version = config.versions['sae-eval'] ?? 'unknown';
  return {
    eval_type_id: 'core',
    eval_config: {
      model_name: config.model,
      llm_dtype: config.dtype,
      batch_size_prompts: config.batchSize,
      n_eval_reconstruction_batches: Math.ceil(spliced / config.batchSize),
      n_eval_sparsity_variance_batches: data.batches,
      dataset: config.dataset.path,
      context_size: seqLen,
      compute_kl: true,
      compute_ce_loss: true,
      compute_l2_norms: true,
      compute_sparsity_metrics: true,
      compute_variance_metrics: true,
      compute_featurewise_density_statistics: false,
      compute_featurewise_weight_based_metrics: false,
      exclude_special_tokens_from_reconstruction: config.excludeSpecialsFromReconstruction === true,
      verbose: false,
    },
    eval_id: id,
    datetime_epoch_millis: Date.parse(createdAt),
    eval_result_metrics: metricsOf(values, { samples: data.samples, spliced, seqLen }),
    eval_result_details: [],
    eval_result_unstructured: { evaluated_by: `sae-eval ${version}`, protocol, notes: sae.notes },
    // SAEBench's field for who computed it; this is no commit of SAEBench.
    sae_bench_commit_hash: `sae-eval ${version}`,
    sae_lens_id: sae.label,
    sae_lens_release_id: null,
    sae_lens_version: null,
    sae_cfg_dict: configOf(sae, result),
  };
}

/**
 * A document for each SAE that has numbers of `saebench@0.6`.
 * @throws SaeEvalError `request-invalid` if none has.
 */
export function saebenchDocuments(result: EvaluationResult): SaebenchDocument[] {
  const found = result.results.flatMap((sae) => {
    const values = sae[protocol] ?? null;
    return values === null ? [] : [{ label: sae.label, output: documentOf(sae, result, values) }];
  });
  if (found.length > 0) return found;
  throw new SaeEvalError(
    'request-invalid',
    `--format saebench: expected a result with numbers of ${protocol}, found none in ` +
      `${result.id}. Evaluate with protocol ["saebench"]; SAEs of several layers have none.`,
  );
}
