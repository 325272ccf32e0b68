/** One SAE for all layers against one that picks a layer for each token, at the same L0. */
import { cite } from '../../findings/rule.js';
import { placeOf } from '../../findings/place.js';
import { against, measuredIn } from '../reading.js';
import type { SummaryRule } from '../rule.js';
import { sameL0Pairs } from '../same-l0-pairs.js';
import { klAgainst } from '../times.js';

export const mlsaeAgainstRouted: SummaryRule = {
  code: 'mlsae-against-routed',
  part: 'verdict',
  condition: {
    en: 'An MLSAE and a RouteSAE have a strict KLDivPerToken and the same L0 within 5 %.',
    zh: 'MLSAE 与 RouteSAE 都有 strict KLDivPerToken，且 L0 相差不超过 5%。',
  },
  check: (context) =>
    sameL0Pairs(measuredIn(context), ['MLSAE', 'RouteSAE']).map(([every, routed]) => {
      const found = against(context, every, routed);
      const [everyAt, routedAt] = [placeOf(every.sae), placeOf(routed.sae)];
      const clause = klAgainst(
        {
          en: `${routed.label} (each token at its own layer of ${routedAt.en})`,
          zh: `${routed.label}（在${routedAt.zh}中为每个词元各选一层）`,
        },
        found,
      );
      return {
        saes: [every.label, routed.label],
        message: {
          en:
            `One dictionary for every layer against routing, both with ${cite(every.l0!)} active ` +
            `latents per token: the KL of ${every.label} (mean over splices at ${everyAt.en}) ` +
            `${clause.en}.`,
          zh:
            `各层共用一个字典与路由（每词元均激活 ${cite(every.l0!)} 个潜变量）：${every.label}` +
            `（${everyAt.zh}逐层替换的平均）的 KL ${clause.zh}。`,
        },
        evidence: {
          L0: every.l0!,
          [`KLDivPerToken ${every.label}`]: every.kl,
          [`KLDivPerToken ${routed.label}`]: routed.kl,
          ratio: found.ratio,
        },
      };
    }),
};
