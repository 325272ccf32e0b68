/** Records of a data set that have no part in the numbers: the reason, how many, the first one. */
import { z } from 'zod';
import type { Bilingual } from '../bilingual.js';

export const skippedSchema = z
  .object({
    reason: z.string().describe('Code of the reason, such as `not-json`.'),
    count: z.number().int(),
    first: z
      .object({
        file: z.string().describe('Path below that of the data set, or name of the only file.'),
        unit: z
          .enum(['line', 'row', 'item', 'file'])
          .describe('What `number` counts; `file`: the whole file.'),
        number: z.number().int().describe('From 1.'),
        excerpt: z.string().describe('Beginning of the record or of its value, as one line.'),
      })
      .describe('The first record that was skipped for this reason.'),
    en: z.string(),
    zh: z.string(),
  })
  .meta({ id: 'Skipped' });

export type Skipped = z.infer<typeof skippedSchema>;

/** The first example of a reason as text: file, place and excerpt. */
export function exampleOf({ first: { file, unit, number, excerpt } }: Skipped): Bilingual {
  const quoted = excerpt === '' ? '' : `: ${excerpt}`;
  return {
    en: `${file}${unit === 'file' ? '' : `, ${unit} ${number}`}${quoted}`,
    zh: `${file}${unit === 'file' ? '' : `，第 ${number} ${unit === 'item' ? '项' : '行'}`}${quoted}`,
  };
}

const units: Record<Skipped['first']['unit'], readonly [one: string, many: string, zh: string]> = {
  line: ['line', 'lines', '行'],
  row: ['row', 'rows', '行'],
  item: ['item', 'items', '项'],
  file: ['file', 'files', '个文件'],
};

/** A reason with its count as a clause: `2 lines were skipped: not JSON`. */
export function skippedClause({ count, first: { unit }, en, zh }: Skipped): Bilingual {
  const [one, many, counted] = units[unit];
  return {
    en: `${count} ${count === 1 ? `${one} was` : `${many} were`} skipped: ${en}`,
    zh: `跳过 ${count} ${counted}：${zh}`,
  };
}
