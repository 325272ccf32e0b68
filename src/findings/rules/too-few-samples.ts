/** Too few sequences for intervals, or so few that they are wide. */
import { cite, evaluated, type Rule } from '../rule.js';

export const fewestSequences = 20;
/** Half-width of the interval over the mean. */
export const widestInterval = 0.1;

export const tooFewSamples: Rule = {
  code: 'too-few-samples',
  severity: 'warning',
  condition: {
    en:
      `strict; fewer than ${fewestSequences} samples, or an interval of KLDivPerToken whose ` +
      `half-width exceeds ${widestInterval} of its mean`,
    zh: `strict；样本少于 ${fewestSequences} 个，或 KLDivPerToken 区间的半宽超过均值的 ${widestInterval}`,
  },
  check: (context) => {
    const { samples } = context.data;
    if (!context.config.protocol.includes('strict')) return [];
    if (samples < fewestSequences) {
      return [
        {
          sae: null,
          message: {
            en:
              `${samples} samples are too few for intervals, which need ${fewestSequences}: ` +
              'differences between SAEs cannot be judged.',
            zh: `${samples} 个样本不足以给出区间（需要 ${fewestSequences} 个）：无法判断 SAE 之间的差异。`,
          },
          evidence: { samples, needed: fewestSequences },
        },
      ];
    }
    return evaluated(context).flatMap((sae) => {
      const kl = sae.strict?.KLDivPerToken;
      if (!kl?.ci95) return [];
      const half = (kl.ci95[1] - kl.ci95[0]) / 2 / kl.mean;
      if (!(half > widestInterval)) return [];
      const needed = Math.ceil(samples * (half / widestInterval) ** 2);
      return [
        {
          sae: sae.label,
          message: {
            en:
              `The KL per token of ${sae.label} is known to ±${cite(100 * half)} % from ` +
              `${samples} samples; ±${cite(100 * widestInterval)} % would take about ` +
              `${needed}.`,
            zh:
              `${sae.label} 的每词元 KL 由 ${samples} 个样本得知，精度 ±${cite(100 * half)} %；达到 ` +
              `±${cite(100 * widestInterval)} % 约需 ${needed} 个样本。`,
          },
          evidence: { samples, halfWidth: half, needed },
        },
      ];
    });
  },
};
