/** SAEs that are spliced at different layers are not alike in KL. */
import type { SaeResult } from '../../schema/index.js';
import { depthExample, depthOf } from '../depth.js';
import { namesIn } from '../names.js';
import { placeKey, placeOf } from '../place.js';
import { evaluated, type Rule } from '../rule.js';

export const layersDiffer: Rule = {
  code: 'layers-differ',
  severity: 'warning',
  condition: {
    en: 'Two SAEs with a KL are spliced at different layers or sites.',
    zh: '两个有 KL 的 SAE 在不同的层或钩点替换。',
  },
  check: (context) => {
    const spliced = evaluated(context).filter(
      ({ strict, reference }) => (strict?.KLDivPerToken ?? reference?.KLDiv ?? null) !== null,
    );
    const groups = new Map<string, SaeResult[]>();
    for (const sae of spliced)
      groups.set(placeKey(sae), [...(groups.get(placeKey(sae)) ?? []), sae]);
    if (groups.size < 2) return [];
    const places = (lang: 'en' | 'zh'): string[] =>
      [...groups.values()].slice(0, 8).map((saes) => {
        const names = namesIn(
          lang,
          saes.map(({ label }) => label),
          4,
        );
        const place = placeOf(saes[0]!)[lang];
        return lang === 'en' ? `${place}: ${names}` : `${place}：${names}`;
      });
    const more = groups.size - 8;
    const depth = depthOf(context.results);
    const example = depthExample(depth);
    return [
      {
        sae: null,
        message: {
          en:
            `The SAEs are spliced at different layers (${places('en').join('; ')}` +
            `${more > 0 ? `; ${more} more` : ''}). KL, ΔCE and loss recovered depend on depth` +
            `${example.en}, so a ranking or a difference across layers is not of the ` +
            'dictionaries alone.',
          zh:
            `这些 SAE 在不同的层替换（${places('zh').join('；')}${more > 0 ? `；另有 ${more} 处` : ''}）。` +
            `KL、ΔCE 与损失恢复率随深度变化${example.zh}，因此跨层的排名或差异不只取决于字典本身。`,
        },
        evidence: {
          places: groups.size,
          ...(depth === null
            ? {}
            : {
                [`KLDivPerToken ${depth.label} layer ${depth.first.layer}`]: depth.first.kl,
                [`KLDivPerToken ${depth.label} layer ${depth.last.layer}`]: depth.last.kl,
              }),
        },
      },
    ];
  },
};
