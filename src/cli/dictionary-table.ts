/** How much dictionaries are the same, for a terminal. */
import CliTable from 'cli-table3';
import { sharedFrom, type DictionaryComparison } from '../schema/index.js';
import { shownOnOneLine } from '../shown-text.js';
import type { Language } from './language.js';

const words: Record<Language, { head: string[]; exact: string; auction(gap: string): string }> = {
  en: {
    head: ['a', 'b', 'latents', 'PW-MCC', `pairs ≥ ${sharedFrom}`, 'MMCS a→b', 'MMCS b→a', 'by'],
    exact: 'exact',
    auction: (gap) => `auction, at most ${gap} below the best`,
  },
  zh: {
    head: ['a', 'b', '潜变量', 'PW-MCC', `≥ ${sharedFrom} 的配对`, 'MMCS a→b', 'MMCS b→a', '方法'],
    exact: '精确',
    auction: (gap) => `拍卖，距最优至多 ${gap}`,
  },
};

const cite = (value: number | null): string =>
  value === null ? '–' : String(Number(value.toPrecision(4)));

/** A row for each pair, and the remarks on them. */
export function dictionaryTable(
  pairs: readonly DictionaryComparison[],
  { lang }: { lang: Language },
): string {
  const { head, exact, auction } = words[lang];
  const table = new CliTable({
    head,
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'left'],
  });
  for (const { a, b, decoders } of pairs)
    table.push(
      [
        a,
        b,
        decoders.latents.join(' × '),
        cite(decoders.pwMcc),
        decoders.shared === null ? '–' : `${cite(100 * decoders.shared)} %`,
        cite(decoders.mmcs),
        cite(decoders.mmcsTurned),
        decoders.method === 'exact' ? exact : auction(cite(decoders.gap)),
      ].map(shownOnOneLine),
    );
  const notes = [...new Set(pairs.flatMap((pair) => pair.notes.map((note) => note[lang])))];
  return [table.toString(), ...notes.map(shownOnOneLine)].join('\n');
}
