/** `reference` splices MLSAE one block after the layer it measures. */
import { cite, evaluated, type Rule } from '../rule.js';

export const mlsaeOffByOne: Rule = {
  code: 'mlsae-off-by-one',
  severity: 'warning',
  condition: { en: 'protocol reference; an MLSAE with a KL', zh: 'reference 协议；有 KL 的 MLSAE' },
  check: (context) =>
    evaluated(context).flatMap((sae) => {
      const kl = sae.reference?.KLDiv ?? null;
      const [first, last] = [sae.perLayer?.[0], sae.perLayer?.at(-1)];
      if (sae.kind !== 'MLSAE' || kl === null || !first?.reference || !last?.reference) return [];
      const strict = sae.strict?.KLDivPerSequence?.mean;
      return [
        {
          sae: sae.label,
          message: {
            en:
              `Under reference, ${sae.label} is measured at layers ${first.layer} to ` +
              `${last.layer} but spliced one block later, at ${first.reference.splicedAt} to ` +
              `${last.reference.splicedAt} (KL ${cite(kl)} nats per ` +
              'sequence)' +
              (strict === undefined
                ? ''
                : `; strict splices where it measures: ${cite(strict)} nats per sequence`) +
              '.',
            zh:
              `在 reference 协议下，${sae.label} 在第 ${first.layer} 至 ${last.layer} 层测量，却晚一个块替换，即第 ` +
              `${first.reference.splicedAt} 至 ${last.reference.splicedAt} 层（每序列 KL ` +
              `${cite(kl)} ` +
              `奈特）${strict === undefined ? '' : `；strict 在测量处替换：每序列 ${cite(strict)} 奈特`}。`,
          },
          evidence: {
            measuredFrom: first.layer,
            splicedFrom: first.reference.splicedAt ?? 0,
            KLDiv: kl,
          },
        },
      ];
    }),
};
