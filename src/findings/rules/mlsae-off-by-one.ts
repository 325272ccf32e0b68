/** `reference` splices an MLSAE one block after the layer on which it is measured. */
import { cite, evaluated, saesOf, type Rule } from '../rule.js';

export const mlsaeOffByOne: Rule = {
  code: 'mlsae-off-by-one',
  severity: 'warning',
  condition: {
    en: 'Under reference, an MLSAE has a KL.',
    zh: 'reference 协议下，MLSAE 有 KL。',
  },
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
                : `; strict splices at the measured layers: ${cite(strict)} nats per sequence`) +
              '.',
            zh:
              `在 reference 协议下，${sae.label} 在第 ${first.layer} 至 ${last.layer} 层测量，却晚一个块替换，` +
              `即在第 ${first.reference.splicedAt} 至 ${last.reference.splicedAt} 层（每序列 KL 为 ` +
              `${cite(kl)} 奈特）` +
              (strict === undefined
                ? ''
                : `；strict 协议在所测量的层替换，每序列 KL 为 ${cite(strict)} 奈特`) +
              '。',
          },
          evidence: {
            measuredFrom: first.layer,
            splicedFrom: first.reference.splicedAt ?? 0,
            KLDiv: kl,
          },
        },
      ];
    }),
  together: (found) => ({
    en:
      `Under reference, ${saesOf(found).en} are spliced one block after the layers at which they ` +
      'are measured; strict splices at the measured layers.',
    zh: `在 reference 协议下，${saesOf(found).zh} 在测量层之后一个块才替换；strict 协议在所测量的层替换。`,
  }),
};
