/** The SAEs to take: at each place, those that no other SAE beats in KL at the same L0 or less. */
import { cite } from '../../findings/rule.js';
import { namesIn } from '../../findings/names.js';
import { placeOf } from '../../findings/place.js';
import { placesOf, type Choice, type Place } from '../candidates.js';
import type { SummaryRule } from '../rule.js';

/** Choices of L0 that a sentence names. */
const mostChoices = 4;

function choiceText(lang: 'en' | 'zh', { best, open }: Choice): string {
  const names = namesIn(
    lang,
    open.map(({ label }) => label),
    4,
  );
  return lang === 'en'
    ? `${best.label} (KL ${cite(best.kl)} nats per token at L0 ${cite(best.l0!)}` +
        `${open.length === 0 ? '' : `; cannot be told from it: ${names}`})`
    : `${best.label}（L0 ${cite(best.l0!)}，每词元 KL ${cite(best.kl)} 奈特` +
        `${open.length === 0 ? '' : `；无法与之区分：${names}`}）`;
}

function placeText(lang: 'en' | 'zh', { candidates, choices }: Place): string {
  const where = placeOf(candidates[0]!.sae)[lang];
  const shown = choices.slice(0, mostChoices).map((choice) => choiceText(lang, choice));
  const more = choices.length - shown.length;
  const list = namesIn(
    lang,
    more === 0
      ? shown
      : [...shown, lang === 'en' ? `${more} more, of larger L0` : `另外 ${more} 个 L0 更大者`],
  );
  const only =
    candidates.length > 1 ? '' : lang === 'en' ? ', the only candidate' : '，此处唯一的候选';
  return lang === 'en' ? `at ${where}, ${list}${only}` : `${where}：${list}${only}`;
}

export const recommended: SummaryRule = {
  code: 'recommended',
  part: 'conclusion',
  condition: {
    en:
      'At least two trained SAEs that are no near-identities and not behind a baseline have a ' +
      'strict KLDivPerToken and an L0. At each place (layers, site, positions), those stand that ' +
      'no other one beats: none has less KL by the interval at the same L0 within 5 %, and each ' +
      'has less KL by the interval than every one of smaller L0.',
    zh:
      '至少两个训练过、并非近似恒等映射且不差于基线的 SAE 有 strict KLDivPerToken 与 L0。在每个' +
      '位置（层、钩点、计入的词元）上，列出未被其他 SAE 胜过者：L0 相同（5% 以内）者的区间均未显示 ' +
      'KL 更小，且区间显示其 KL 小于每个 L0 更小者。',
  },
  check: (context) => {
    const places = placesOf(context);
    if (places.reduce((sum, { candidates }) => sum + candidates.length, 0) < 2) return [];
    const chosen = places.flatMap(({ choices }) =>
      choices.flatMap(({ best, open }) => [best, ...open]),
    );
    return [
      {
        saes: chosen.map(({ label }) => label),
        message: {
          en: `Recommended: ${places.map((place) => placeText('en', place)).join('; ')}.`,
          zh: `推荐：${places.map((place) => placeText('zh', place)).join('；')}。`,
        },
        evidence: Object.fromEntries(
          chosen.flatMap(({ label, kl, l0 }) => [
            [`KLDivPerToken ${label}`, kl],
            [`L0 ${label}`, l0!],
          ]),
        ),
      },
    ];
  },
};
