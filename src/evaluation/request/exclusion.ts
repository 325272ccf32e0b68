/** Which positions an SAE does not count: the request's word, else its file's, else none. */
import type { Bilingual } from '../../bilingual.js';
import type { Exclusion } from '../../sae/description.js';
import type { Exclude } from '../../schema/index.js';

export interface ChosenExclusion {
  exclusion: Exclusion;
  from: 'request' | 'file' | 'default';
  notes: readonly Bilingual[];
}

const nothing: Exclusion = { specials: false, ids: [], kept: null };

/** The exclusion of a request's field. */
export function exclusionOf(exclude: Exclude): Exclusion {
  if (exclude === 'none') return nothing;
  if (exclude === 'specials') return { ...nothing, specials: true };
  if (Array.isArray(exclude)) return { ...nothing, ids: exclude };
  return { ...nothing, kept: exclude.positions };
}

/** Fault of an exclusion whose token ids a model's vocabulary does not have; null without one. */
export function unknownToken(exclude: Exclude | undefined, vocabulary: number): string | null {
  const found = Array.isArray(exclude) ? exclude.find((id) => id >= vocabulary) : undefined;
  if (found === undefined) return null;
  return `expected token ids below ${vocabulary}, the vocabulary of the model, found ${found}`;
}

const isNothing = ({ specials, ids, kept }: Exclusion): boolean =>
  !specials && ids.length === 0 && kept === null;

/** An exclusion in a few words. */
export function exclusionText({ specials, ids, kept }: Exclusion): Bilingual {
  const en = [
    ...(specials ? ['special tokens'] : []),
    ...(ids.length === 0 ? [] : [`the token ids ${ids.slice(0, 8).join(', ')}`]),
    ...(kept === null ? [] : [`positions outside [${kept.map(String).join(', ')}]`]),
  ];
  const zh = [
    ...(specials ? ['特殊词元'] : []),
    ...(ids.length === 0 ? [] : [`词元编号 ${ids.slice(0, 8).join('、')}`]),
    ...(kept === null ? [] : [`位置范围 [${kept.map(String).join(', ')}] 之外`]),
  ];
  return { en: en.join(' and ') || 'no position', zh: zh.join('和') || '无' };
}

/**
 * The exclusion of an SAE.
 * @param given the SAE's own field of the request, else the request's.
 * @param said the word of the SAE's file.
 */
export function chooseExclusion(
  given: Exclude | undefined,
  said: Exclusion | undefined,
): ChosenExclusion {
  if (given === undefined)
    return said === undefined || isNothing(said)
      ? { exclusion: nothing, from: 'default', notes: [] }
      : { exclusion: said, from: 'file', notes: [] };
  const exclusion = exclusionOf(given);
  const contradicts =
    said !== undefined && !isNothing(said) && JSON.stringify(said) !== JSON.stringify(exclusion);
  if (!contradicts) return { exclusion, from: 'request', notes: [] };
  const [file, request] = [exclusionText(said), exclusionText(exclusion)];
  const note: Bilingual = {
    en:
      `The file says that the SAE was trained without ${file.en}; the request leaves out ` +
      `${request.en} instead.`,
    zh: `文件说明该 SAE 训练时排除了${file.zh}；按请求，此处排除的是：${request.zh}。`,
  };
  return { exclusion, from: 'request', notes: [note] };
}
