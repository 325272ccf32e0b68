/** Many latents never fired in the run. */
import { evaluated, percent, type Rule } from '../rule.js';

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
            zh: `${sae.label} 有 ${percent(dead.mean)} 的潜变量在 ${realTokens} 个真实词元上从未激活。`,
          },
          evidence: { DeadLatents: dead.mean, realTokens },
        },
      ];
    });
  },
};
