/** The run has too few sequences for intervals, or for narrow ones. */
import { cite, evaluated, saesOf, spanOf, type Rule } from '../rule.js';

export const fewestSequences = 20;
/** Half-width of an interval over its mean, above which the interval is too wide. */
export const widestInterval = 0.1;

export const tooFewSamples: Rule = {
  code: 'too-few-samples',
  severity: 'warning',
  condition: {
    en:
      `Under strict, the run has fewer than ${fewestSequences} samples, or fewer are spliced, or ` +
      `the half-width of an interval of KLDivPerToken exceeds ${100 * widestInterval} % of the ` +
      'mean.',
    zh:
      `strict 协议下，样本或被替换的样本少于 ${fewestSequences} 个，或 KLDivPerToken ` +
      `区间的半宽超过均值的 ${100 * widestInterval}%。`,
  },
  check: (context) => {
    const { samples: all, spliceSamples } = context.data;
    if (!context.config.protocol.includes('strict')) return [];
    const samples = spliceSamples ?? all;
    if (samples < fewestSequences && all >= fewestSequences)
      return [
        {
          sae: null,
          message: {
            en:
              `${samples} spliced samples are too few: intervals of KL and of the other metrics ` +
              `of spliced passes need ${fewestSequences}. Raise spliceSamples.`,
            zh:
              `${samples} 个被替换的样本不足以给出 KL 等替换类指标的区间（需要 ` +
              `${fewestSequences} 个）：请增大 spliceSamples。`,
          },
          evidence: { samples, needed: fewestSequences },
        },
      ];
    if (samples < fewestSequences) {
      return [
        {
          sae: null,
          message: {
            en:
              `${samples} samples are too few: intervals need ${fewestSequences}. Differences ` +
              'between SAEs cannot be judged.',
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
      const spliced = spliceSamples !== undefined;
      return [
        {
          sae: sae.label,
          message: {
            en:
              `${samples} ${spliced ? 'spliced ' : ''}samples give the KL per token of ` +
              `${sae.label} to ±` +
              `${cite(100 * half)} %; ±${cite(100 * widestInterval)} % would take about ${needed}.`,
            zh:
              `${samples} 个${spliced ? '被替换的' : ''}样本给出的 ${sae.label} 每词元 KL 精度为 ` +
              `±${cite(100 * half)}%；要达到 ` +
              `±${cite(100 * widestInterval)}%，约需 ${needed} 个样本。`,
          },
          evidence: { samples, halfWidth: half, needed },
        },
      ];
    });
  },
  together: (found) => ({
    en:
      `${spanOf(found, 'samples').en} samples give wide intervals of the KL per token of ` +
      `${saesOf(found).en}; ±${cite(100 * widestInterval)} % would take about ` +
      `${spanOf(found, 'needed').en}.`,
    zh:
      `${spanOf(found, 'samples').zh} 个样本给出的 ${saesOf(found).zh} 每词元 KL 区间较宽；要达到 ` +
      `±${cite(100 * widestInterval)}%，约需 ${spanOf(found, 'needed').zh} 个样本。`,
  }),
};
