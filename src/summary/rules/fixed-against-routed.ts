/** The core comparison: one fixed layer against a layer for each token, at the same L0. */
import { cite } from '../../findings/rule.js';
import { depthExample, depthOf } from '../../findings/depth.js';
import { placeKey, placeOf } from '../../findings/place.js';
import { against, measuredIn } from '../reading.js';
import type { SummaryRule } from '../rule.js';
import { sameL0Pairs } from '../same-l0-pairs.js';
import { klAgainst } from '../times.js';

export const fixedAgainstRouted: SummaryRule = {
  code: 'fixed-against-routed',
  part: 'verdict',
  condition: {
    en:
      'A TopK and a RouteSAE have a strict KLDivPerToken and the same L0 within 5 %. The caveat ' +
      'of ' +
      'depth stands if their layers differ.',
    zh: 'TopK 与 RouteSAE 都有 strict KLDivPerToken，且 L0 相差不超过 5%。若二者的层不同，则说明深度的影响。',
  },
  check: (context) => {
    const depth = depthOf(context.results);
    return sameL0Pairs(measuredIn(context), ['RouteSAE', 'TopK']).map(([routed, fixed]) => {
      const found = against(context, routed, fixed);
      const [routedAt, fixedAt] = [placeOf(routed.sae), placeOf(fixed.sae)];
      const clause = klAgainst(
        { en: `${fixed.label} (${fixedAt.en})`, zh: `${fixed.label}（${fixedAt.zh}）` },
        found,
      );
      const isAlike = placeKey(routed.sae) === placeKey(fixed.sae);
      const example = depthExample(depth);
      return {
        saes: [routed.label, fixed.label],
        message: {
          en:
            `Routing against a fixed layer, both with ${cite(routed.l0!)} active latents per ` +
            `token: the KL of ${routed.label} (${routedAt.en}) ${clause.en}.` +
            (isAlike
              ? ''
              : ` The layers differ, and KL depends on depth${example.en}: this ratio is not of ` +
                'routing alone.'),
          zh:
            `路由与固定层（每词元均激活 ${cite(routed.l0!)} 个潜变量）：${routed.label}` +
            `（${routedAt.zh}）的 KL ${clause.zh}。` +
            (isAlike
              ? ''
              : `二者的层不同，而 KL 随深度变化${example.zh}，因此该比值不只反映路由。`),
        },
        evidence: {
          L0: routed.l0!,
          [`KLDivPerToken ${routed.label}`]: routed.kl,
          [`KLDivPerToken ${fixed.label}`]: fixed.kl,
          ratio: found.ratio,
        },
      };
    });
  },
};
