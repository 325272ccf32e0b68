/** Most of the data set was skipped: the numbers are of the few records that are left. */
import { percent, type Rule } from '../rule.js';

/** Share of the records above which the rule fires. */
const lostShare = 0.5;

export const recordsLost: Rule = {
  code: 'records-lost',
  severity: 'warning',
  condition: {
    en: `More than ${percent(lostShare)} of the records are skipped.`,
    zh: `跳过的记录超过 ${percent(lostShare, 'zh')}。`,
  },
  check: ({ data: { records = 0, skippedRecords, skipped = [] } }) => {
    if (records === 0 || skippedRecords / records <= lostShare) return [];
    const share = percent(skippedRecords / records);
    const list = (lang: 'en' | 'zh'): string =>
      skipped.map((one) => `${one.count} × ${one[lang]}`).join(lang === 'en' ? '; ' : '；');
    return [
      {
        sae: null,
        message: {
          en:
            `${skippedRecords} of ${records} records (${share}) were skipped, so the numbers are ` +
            `of the others: ${list('en')}.`,
          zh:
            `${skippedRecords} / ${records} 条记录（${share}）被跳过，各项数值只来自其余记录：` +
            `${list('zh')}。`,
        },
        evidence: {
          skippedRecords,
          records,
          ...Object.fromEntries(skipped.map(({ reason, count }) => [reason, count])),
        },
      },
    ];
  },
};
