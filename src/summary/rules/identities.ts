/** Standard and gated kinds: identities or not, with L0. */
import type { Bilingual } from '../../bilingual.js';
import { cite, layersOf } from '../../findings/rule.js';
import { namesIn } from '../../findings/names.js';
import { isNearIdentity } from '../../findings/rules/near-identity.js';
import { kindNamed } from '../../sae/kinds/kinds.js';
import type { SaeResult } from '../../schema/index.js';
import type { SummaryRule } from '../rule.js';

type WithL0 = SaeResult & { l0: number; share: number };

const named = (lang: 'en' | 'zh', list: readonly WithL0[]): string =>
  namesIn(
    lang,
    list.map(({ label, l0, share }) =>
      lang === 'en'
        ? `${label} (L0 ${cite(l0)}, ${cite(Number(share.toPrecision(3)))} times the width)`
        : `${label}（L0 ${cite(l0)}，为宽度的 ${cite(Number(share.toPrecision(3)))} 倍）`,
    ),
  );

const sentences: Record<'identity' | 'sparse', (list: readonly WithL0[]) => Bilingual> = {
  identity: (list) => ({
    en:
      `${named('en', list)} ${list.length === 1 ? 'is a near-identity' : 'are near-identities'}: ` +
      'the small error comes from the number of active latents, not from a good dictionary.',
    zh: `${named('zh', list)}是近似恒等映射：误差小源于激活的潜变量过多，并不说明字典良好。`,
  }),
  sparse: (list) => ({
    en:
      `${named('en', list)} ` +
      `${list.length === 1 ? 'is no near-identity' : 'are no near-identities'}.`,
    zh: `${named('zh', list)}不是近似恒等映射。`,
  }),
};

export const identities: SummaryRule = {
  code: 'identities',
  part: 'verdict',
  condition: {
    en:
      'A Vanilla, Gated or JumpReLU SAE has an L0 and a NormMSE under strict, or an SAE of ' +
      'another ' +
      'kind is a near-identity; `near-identity` decides.',
    zh:
      'Vanilla、Gated 或 JumpReLU 的 SAE 在 strict 下有 L0 与 NormMSE，或其他类型的 SAE ' +
      '是近似恒等映射；由 `near-identity` 判定。',
  },
  check: ({ results }) => {
    const all = results.flatMap((sae): WithL0[] => {
      const { L0, NormMSE } = sae.strict ?? {};
      if (sae.error !== null || !L0 || !NormMSE || sae.d === null) return [];
      const isStandard = kindNamed(sae.kind).group === 'standard';
      return isStandard || isNearIdentity(sae)
        ? [{ ...sae, l0: L0.mean, share: L0.mean / (sae.d * layersOf(sae)) }]
        : [];
    });
    return [
      { list: all.filter(isNearIdentity), sentence: sentences.identity },
      { list: all.filter((sae) => !isNearIdentity(sae)), sentence: sentences.sparse },
    ]
      .filter(({ list }) => list.length > 0)
      .map(({ list, sentence }) => ({
        saes: list.map(({ label }) => label),
        message: sentence(list),
        evidence: Object.fromEntries(list.map(({ label, l0 }) => [`L0 ${label}`, l0])),
      }));
  },
};
