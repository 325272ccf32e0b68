/** Lists of names, as a sentence has them. */
import type { Bilingual } from '../bilingual.js';

const english = new Intl.ListFormat('en', { type: 'conjunction' });

const chinese = (names: readonly string[]): string => names.join('、');

/** Names that a sentence has room for. */
const mostNames = 6;

/** `A, B, and C`, or the first ones and the number of the others. */
export function namesIn(lang: 'en' | 'zh', names: readonly string[], most = mostNames): string {
  if (names.length <= most) return lang === 'en' ? english.format(names) : chinese(names);
  const shown = names.slice(0, most - 1);
  const more = names.length - shown.length;
  return lang === 'en'
    ? english.format([...shown, `${more} more`])
    : `${shown.join('、')} 及另外 ${more} 个`;
}

/** The names in both languages. */
export function namesOf(names: readonly string[], most = mostNames): Bilingual {
  return { en: namesIn('en', names, most), zh: namesIn('zh', names, most) };
}
