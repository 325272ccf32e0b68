/** A large share of the latents is active on each token, but the SAE is no near-identity. */
import { cite, evaluated, layersOf, percent, saesOf, spanOf, type Rule } from '../rule.js';
import { nearIdentityError } from './near-identity.js';

export const denseShare = 0.1;

export const denseDictionary: Rule = {
  code: 'dense-dictionary',
  severity: 'warning',
  condition: {
    en: `L0 is at least ${100 * denseShare} % of m, and \`near-identity\` does not fire.`,
    zh: `L0 不小于 m 的 ${100 * denseShare}%，且未触发 \`near-identity\`。`,
  },
  check: (context) =>
    evaluated(context).flatMap((sae) => {
      const { L0, NormMSE } = sae.strict ?? {};
      if (!L0 || sae.m === null || sae.d === null || L0.mean < denseShare * sae.m) return [];
      if (L0.mean > sae.d * layersOf(sae) && NormMSE && NormMSE.mean < nearIdentityError) return [];
      return [
        {
          sae: sae.label,
          message: {
            en:
              `${sae.label} is dense: ${cite(L0.mean)} of its ${sae.m} latents ` +
              `(${percent(L0.mean / sae.m)}) are active on a token.`,
            zh:
              `${sae.label} 是稠密的：每个词元激活 ${sae.m} 个潜变量中的 ${cite(L0.mean)} ` +
              `个（${percent(L0.mean / sae.m, 'zh')}）。`,
          },
          evidence: { L0: L0.mean, latents: sae.m },
        },
      ];
    }),
  together: (found) => ({
    en:
      `${saesOf(found).en} are dense: ${spanOf(found, 'L0').en} of ` +
      `${spanOf(found, 'latents').en} latents are active on a token.`,
    zh:
      `${saesOf(found).zh} 是稠密的：每个词元激活 ${spanOf(found, 'latents').zh} 个潜变量中的 ` +
      `${spanOf(found, 'L0').zh} 个。`,
  }),
};
