/**
 * The nested groups of Matryoshka SAEs, as prefixes of their latents, from what files tell of them.
 * They change nothing in the SAE itself: of those that cannot be, a note says so.
 */
import type { Bilingual } from '../../bilingual.js';
import type { Described } from '../description.js';

type Groups = Pick<Described, 'groups' | 'notes'>;

/** Most groups that are believed. */
const mostGroups = 64;

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) > 0;

/** The counts of a list; empty if it is none, too long, or has something else. */
const listOf = (value: unknown): number[] =>
  Array.isArray(value) && value.length <= mostGroups && value.every(isCount) ? value : [];

const unbelieved = (where: string, expected: Bilingual): Groups => ({
  notes: [
    {
      en: `${where} of the file is not taken for nested groups: expected ${expected.en}.`,
      zh: `未采用文件中的 ${where} 作为嵌套分组：应为${expected.zh}。`,
    },
  ],
});

/** Groups whose sizes add up to m; absent without a list. */
export function groupsOfSizes(sizes: unknown, { m, where }: { m: number; where: string }): Groups {
  if (sizes === undefined || sizes === null) return { notes: [] };
  const list = listOf(sizes);
  let end = 0;
  const groups = list.map((size) => (end += size));
  return groups.length > 0 && end === m
    ? { groups, notes: [] }
    : unbelieved(where, {
        en: `sizes above 0 that add up to the ${m} latents`,
        zh: `大于 0 且总和为 ${m} 个潜变量的分组大小`,
      });
}

/** Groups by their ends, in increasing order; the whole SAE is the last of them. */
export function groupsOfWidths(
  widths: unknown,
  { m, where }: { m: number; where: string },
): Groups {
  if (widths === undefined || widths === null) return { notes: [] };
  const list = listOf(widths);
  const fits = list.every((width, i) => width <= m && !(width <= list[i - 1]!));
  if (list.length === 0 || !fits)
    return unbelieved(where, {
      en: `increasing numbers of 1 to ${m} latents`,
      zh: `1 至 ${m} 之间递增的潜变量数`,
    });
  return { groups: list.at(-1) === m ? list : [...list, m], notes: [] };
}
