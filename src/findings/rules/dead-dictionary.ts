/** Many latents never fired in the run. */
import { evaluated, percent, saesOf, spanOf, type Rule } from '../rule.js';

export const deadShare = 0.1;

export const deadDictionary: Rule = {
  code: 'dead-dictionary',
  severity: 'warning',
  condition: {
    en: `DeadLatents is at least ${deadShare}, without inferK and theta.`,
    zh: `DeadLatents 不小于 ${deadShare}，且未使用 inferK 或 theta。`,
  },
  check: (context) => {
    const { inferK, theta } = context.config;
    // An override of the sparsity silences latents that the SAE itself would use.
    if (typeof inferK === 'number' || typeof theta === 'number') return [];
    return evaluated(context).flatMap((sae) => {
      const dead = sae.strict?.DeadLatents;
      if (!dead || dead.mean < deadShare) return [];
      const { realTokens } = context.data;
      return [
        {
          sae: sae.label,
          message: {
            en:
              `${percent(dead.mean)} of the latents of ${sae.label} were active on none of the ` +
              `${realTokens} real tokens.`,
            zh: `${sae.label} 有 ${percent(dead.mean, 'zh')} 的潜变量在 ${realTokens} 个真实词元上从未激活。`,
          },
          evidence: { DeadLatents: dead.mean, realTokens },
        },
      ];
    });
  },
  together: (found) => ({
    en:
      `Many latents of ${saesOf(found).en} were active on none of the ` +
      `${spanOf(found, 'realTokens').en} real tokens: a share of ` +
      `${spanOf(found, 'DeadLatents').en}.`,
    zh:
      `${saesOf(found).zh} 有许多潜变量在 ${spanOf(found, 'realTokens').zh} 个真实词元上从未激活，` +
      `占比为 ${spanOf(found, 'DeadLatents').zh}。`,
  }),
};
