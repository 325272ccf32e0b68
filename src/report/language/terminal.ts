/** Texts that only a terminal shows. */
import type { Language } from '../build.js';

interface TerminalWords {
  /** Meaning of the star, which stands where bold letters cannot. */
  best: string;
  /** Before the example of a reason for which records were skipped. */
  first: string;
  colon: string;
  /** On the findings that are mere notes. */
  notes(count: number): string;
}

export const terminalWords: Record<Language, TerminalWords> = {
  en: {
    best:
      '* the best of those that can be compared, with those that its paired interval cannot tell ' +
      'from it.',
    first: '; first',
    colon: ': ',
    notes: (count) => `${count} ${count === 1 ? 'note stands' : 'notes stand'} in the report.`,
  },
  zh: {
    best: '* 可比较者中的最佳值，以及配对区间无法与之区分者。',
    first: '；首例',
    colon: '：',
    notes: (count) => `另有 ${count} 条说明，见报告。`,
  },
};
