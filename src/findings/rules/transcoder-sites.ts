/** A transcoder reads one site and is measured at another. */
import type { SaeResult } from '../../schema/index.js';
import { placeText } from '../place.js';
import { cite, evaluated, saesOf, type Rule } from '../rule.js';

/** The thing that is replaced: an MLP's output if the transcoder predicts that. */
const replaces = ({ site }: SaeResult): { en: string; zh: string } =>
  site === 'mlp_out'
    ? { en: 'with the MLP off', zh: '关闭 MLP' }
    : { en: 'with the predicted site at zero', zh: '把所预测的位置置零' };

export const transcoderSites: Rule = {
  code: 'transcoder-sites',
  severity: 'info',
  condition: {
    en: 'An SAE predicts another hook point than it reads (`hookOut`).',
    zh: 'SAE 所预测的钩点不同于其读取的钩点（`hookOut`）。',
  },
  check: (context) =>
    evaluated(context).flatMap((sae) => {
      const { label, hookOut, strict } = sae;
      const error = strict?.NormMSE?.mean;
      if (hookOut === undefined || error === undefined) return [];
      const off = replaces(sae);
      return [
        {
          sae: label,
          message: {
            en:
              `${label} is a transcoder (${placeText(sae)}): its NormMSE of ${cite(error)} is of ` +
              'its ' +
              'prediction against what the model computes there, which its splice replaces; loss ' +
              `recovered compares it ${off.en}. An autoencoder at the same place reconstructs ` +
              'what it reads, which is easier: compare their KL, not their errors.',
            zh:
              `${label} 是转码器（${placeText(sae)}）：其 NormMSE ${cite(error)} 是预测与模型在该处` +
              `所算值之间的误差，替换的也是该处；损失恢复率与${off.zh}时比较。同一位置的自编码器重建` +
              '其所读取的内容，更为容易：应比较它们的 KL，而不是误差。',
          },
          evidence: { NormMSE: error, predicts: hookOut },
        },
      ];
    }),
  together: (found) => ({
    en:
      `${saesOf(found).en} are transcoders: their errors are of predictions against what the ` +
      'model computes at the sites that they predict, which their splices replace. Autoencoders ' +
      'reconstruct what they read, which is easier: compare KL, not errors.',
    zh:
      `${saesOf(found).zh} 是转码器：其误差是预测与模型在所预测位置所算值之间的误差，替换的也是这些` +
      '位置。自编码器重建其所读取的内容，更为容易：应比较 KL，而不是误差。',
  }),
};
