/** The numbers of other tools, under their names, with what each is in our words. */
import type { Bilingual } from '../../bilingual.js';
import type { Better } from '../metric.js';
import { peerRules, type PeerProtocol } from './protocols.js';

export interface PeerField {
  readonly field: string;
  readonly meaning: Bilingual;
  readonly better: Better;
  /** Whether it depends on the weights alone. */
  readonly ofWeights?: true;
}

const of = <const Name extends string>(
  field: Name,
  better: Better,
  en: string,
  zh: string,
): PeerField & { field: Name } => ({ field, better, meaning: { en, zh } });

const all = [
  of(
    'kl_div_score',
    'higher',
    'share of the KL of a zeroed site that the splice avoids',
    '把该处置零的 KL 中，替换所避免的比例',
  ),
  of(
    'kl_div_with_sae',
    'lower',
    'KL(clean ‖ spliced), nats per token',
    'KL(干净 ‖ 替换)，每词元奈特数',
  ),
  of(
    'kl_div_with_ablation',
    'neither',
    'KL(clean ‖ site at zero), nats per token',
    'KL(干净 ‖ 该处置零)，每词元奈特数',
  ),
  of(
    'ce_loss_score',
    'higher',
    'share of the loss of a zeroed site that the splice avoids',
    '把该处置零所造成的损失中，替换所避免的比例',
  ),
  of('ce_loss_with_sae', 'lower', 'cross-entropy with the splice', '替换后的交叉熵'),
  of('ce_loss_without_sae', 'neither', 'cross-entropy of the model itself', '模型本身的交叉熵'),
  of(
    'ce_loss_with_ablation',
    'neither',
    'cross-entropy with the site at zero',
    '该处置零后的交叉熵',
  ),
  of(
    'explained_variance',
    'higher',
    'explained variance of the activations, as this version defines it',
    '激活的解释方差，按该版本的定义',
  ),
  of(
    'explained_variance_legacy',
    'higher',
    'mean over tokens of 1 − squared error over squared distance from the mean of the batch',
    '对词元取平均：1 − 误差平方与到批均值距离平方之比',
  ),
  of(
    'mse',
    'lower',
    'squared error of a token, as this version averages it',
    '词元的误差平方，按该版本取平均',
  ),
  of('cossim', 'higher', 'cosine of activations and reconstructions', '激活与重建的余弦相似度'),
  of('l2_norm_in', 'neither', 'mean norm of the activations', '激活范数的均值'),
  of('l2_norm_out', 'neither', 'mean norm of the reconstructions', '重建范数的均值'),
  of('l2_ratio', 'neither', 'mean of the ratio of both norms', '两个范数之比的均值'),
  of(
    'relative_reconstruction_bias',
    'neither',
    'mean over batches of the mean ‖ĥ‖² over the mean h · ĥ',
    '对批取平均：‖ĥ‖² 的均值与 h · ĥ 的均值之比',
  ),
  of('l0', 'neither', 'active latents per token', '每词元激活的潜变量数'),
  of('l1', 'neither', 'sum of the latents of a token', '词元的潜变量之和'),
  of('frac_alive', 'higher', 'share of latents that were active', '曾激活的潜变量比例'),
  of(
    'freq_over_1_percent',
    'neither',
    'share of latents active on more than 1 % of the tokens',
    '在超过 1 % 的词元上激活的潜变量比例',
  ),
  of(
    'freq_over_10_percent',
    'neither',
    'share of latents active on more than 10 % of the tokens',
    '在超过 10 % 的词元上激活的潜变量比例',
  ),
  of(
    'normalized_freq_over_1_percent',
    'neither',
    'part of all activity that these have (1 %)',
    '上述潜变量（1 %）在全部激活中所占的份额',
  ),
  of(
    'normalized_freq_over_10_percent',
    'neither',
    'part of all activity that these have (10 %)',
    '上述潜变量（10 %）在全部激活中所占的份额',
  ),
  {
    ...of(
      'average_max_encoder_cosine_sim',
      'neither',
      'mean over latents of the largest cosine with another encoder row',
      '对潜变量取平均：与其他编码器行的最大余弦',
    ),
    ofWeights: true as const,
  },
  {
    ...of(
      'average_max_decoder_cosine_sim',
      'neither',
      'mean over latents of the largest cosine with another decoder row',
      '对潜变量取平均：与其他解码器行的最大余弦',
    ),
    ofWeights: true as const,
  },
];

type Known = (typeof all)[number];
type OfWeights = Extract<Known, { ofWeights: true }>['field'];

/** Values under a protocol of another tool; those of the weights only if the tool has them. */
export type PeerValues = { [F in Exclude<Known['field'], OfWeights>]: number | null } & {
  [F in OfWeights]?: number | null | undefined;
};

/** The numbers that some protocol has. */
export const allPeerFields: readonly PeerField[] = all;

/** The numbers that a protocol has. */
export function peerFields(protocol: PeerProtocol): PeerField[] {
  return allPeerFields.filter(({ ofWeights }) => ofWeights !== true || peerRules[protocol].weights);
}
