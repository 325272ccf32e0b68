/** How much the smallest prefix of a nested SAE gives up. */
import { namesIn } from '../../findings/names.js';
import { cite } from '../../findings/rule.js';
import { measuredIn, type Measured } from '../reading.js';
import type { SummaryRule } from '../rule.js';

/** SAEs that the sentence names. */
const mostNamed = 4;

interface Swept extends Measured {
  prefix: number;
  prefixKl: number;
}

function clause(lang: 'en' | 'zh', { label, sae, kl, prefix, prefixKl }: Swept): string {
  const times = cite(Number((prefixKl / kl).toPrecision(3)));
  return lang === 'en'
    ? `${prefix} of the ${sae.m} latents of ${label} (${cite(prefixKl)} nats per token, ${times} ` +
        `times the ${cite(kl)} of the whole)`
    : `${label} 的 ${sae.m} 个潜变量中的前 ${prefix} 个（每词元 ${cite(prefixKl)} 奈特，为完整 SAE ` +
        `的 ${cite(kl)} 的 ${times} 倍）`;
}

export const nestedPrefixes: SummaryRule = {
  code: 'nested-prefixes',
  part: 'verdict',
  condition: {
    en:
      'An SAE was swept over prefixes; the whole and its smallest prefix, of fewer ' +
      'than m latents, have a strict KLDivPerToken above 0.',
    zh:
      '某个 SAE 有前缀扫描，且完整 SAE 与最小的前缀（少于 m 个潜变量）的 strict KLDivPerToken ' +
      '都大于 0。',
  },
  check: (context) => {
    const swept = measuredIn(context).flatMap((one): Swept[] => {
      const [first] = one.sae.sweep ?? [];
      const prefixKl = first?.strict?.KLDivPerToken?.mean ?? 0;
      return first?.prefix === undefined ||
        first.prefix === one.sae.m ||
        prefixKl <= 0 ||
        one.kl <= 0
        ? []
        : [{ ...one, prefix: first.prefix, prefixKl }];
    });
    if (swept.length === 0) return [];
    const named = (lang: 'en' | 'zh'): string =>
      namesIn(
        lang,
        swept.map((one) => clause(lang, one)),
        mostNamed,
      );
    return [
      {
        saes: swept.map(({ label }) => label),
        message: {
          en: `KL of the smallest prefix: the first ${named('en')}.`,
          zh: `最小前缀的 KL：${named('zh')}。`,
        },
        evidence: Object.fromEntries(
          swept.flatMap(({ label, kl, prefix, prefixKl }) => [
            [`prefix ${label}`, prefix],
            [`KLDivPerToken ${label}`, kl],
            [`KLDivPerToken ${label}@prefix=${prefix}`, prefixKl],
          ]),
        ),
      },
    ];
  },
};
