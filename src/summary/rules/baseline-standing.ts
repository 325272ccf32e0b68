/** How many times better than the baseline the trained SAEs are. */
import { cite } from '../../findings/rule.js';
import { namesIn } from '../../findings/names.js';
import { placeOf } from '../../findings/place.js';
import { standingsOf, type Against, type Standing } from '../reading.js';
import type { SummaryRule } from '../rule.js';
import { timesLarger, timesSmaller } from '../times.js';

type Found = Standing['others'][number];

/** Clauses on those that are better, worse and open. */
function clauses(lang: 'en' | 'zh', all: readonly Found[]): string[] {
  const of = (order: Against['order']): Found[] => all.filter(({ found }) => found.order === order);
  const named = (list: readonly Found[], times: (found: Against) => string): string =>
    namesIn(
      lang,
      list.map(({ one, found }) => `${one.label} ${times(found)}`),
    );
  const [better, worse, open] = [of('less'), of('more'), of('open')];
  const openNames = namesIn(
    lang,
    open.map(({ one }) => one.label),
  );
  return lang === 'en'
    ? [
        ...(better.length === 0 ? [] : [`less by a factor of: ${named(better, timesSmaller)}`]),
        ...(worse.length === 0 ? [] : [`more by a factor of: ${named(worse, timesLarger)}`]),
        ...(open.length === 0 ? [] : [`not to be told from it: ${openNames}`]),
      ]
    : [
        ...(better.length === 0 ? [] : [`低于基线的倍数：${named(better, timesSmaller)}`]),
        ...(worse.length === 0 ? [] : [`高于基线的倍数：${named(worse, timesLarger)}`]),
        ...(open.length === 0 ? [] : [`无法区分：${openNames}`]),
      ];
}

export const baselineStanding: SummaryRule = {
  code: 'baseline-standing',
  part: 'verdict',
  condition: {
    en:
      'A RandomK and another SAE that is no near-identity have a strict KLDivPerToken. An SAE is ' +
      'better or worse if the paired interval of the difference leaves out 0.',
    zh:
      'RandomK 与另一个并非近似恒等映射的 SAE 都有 strict KLDivPerToken。配对差异的区间不含 0 ' +
      '时，才称为更好或更差。',
  },
  check: (context) =>
    standingsOf(context).map(({ baseline, others }) => {
      const all = others.toSorted((a, b) => a.found.ratio - b.found.ratio);
      const place = placeOf(baseline.sae);
      const kl = cite(baseline.kl);
      return {
        saes: [baseline.label, ...all.map(({ one }) => one.label)],
        message: {
          en:
            `KL against the baseline ${baseline.label} (${place.en}, ${kl} nats per token): ` +
            `${clauses('en', all).join('; ')}.`,
          zh:
            `KL 与基线 ${baseline.label}（${place.zh}，每词元 ${kl} 奈特）相比，` +
            `${clauses('zh', all).join('；')}。`,
        },
        evidence: {
          baseline: baseline.kl,
          ...Object.fromEntries(all.map(({ one }) => [`KLDivPerToken ${one.label}`, one.kl])),
        },
      };
    }),
};
