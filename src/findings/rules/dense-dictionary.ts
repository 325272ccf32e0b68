/**
 * A large share of all latents is active on each token, without the small error of a near-identity.
 */
import { cite, evaluated, percent, sitesOf, type Rule } from '../rule.js';
import { nearIdentityError } from './near-identity.js';

export const denseShare = 0.1;

export const denseDictionary: Rule = {
  code: 'dense-dictionary',
  severity: 'warning',
  condition: {
    en: `L0 at least ${denseShare} m, and not near-identity`,
    zh: `L0 不小于 ${denseShare} m，且不属于接近恒等`,
  },
  check: (context) =>
    evaluated(context).flatMap((sae) => {
      const { L0, NormMSE } = sae.strict ?? {};
      if (!L0 || sae.m === null || sae.d === null || L0.mean < denseShare * sae.m) return [];
      if (L0.mean > sae.d * sitesOf(sae) && NormMSE && NormMSE.mean < nearIdentityError) return [];
      return [
        {
          sae: sae.label,
          message: {
            en:
              `${sae.label} is dense: ${cite(L0.mean)} of its ${sae.m} latents ` +
              `(${percent(L0.mean / sae.m)}) are active on a token.`,
            zh:
              `${sae.label} 是稠密的：每个词元激活 ${sae.m} 个潜变量中的 ${cite(L0.mean)} ` +
              `个（${percent(L0.mean / sae.m)}）。`,
          },
          evidence: { L0: L0.mean, latents: sae.m },
        },
      ];
    }),
};
