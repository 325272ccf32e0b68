/** A text in the languages of reports. */
import { z } from 'zod';

export const bilingualSchema = z
  .object({ en: z.string(), zh: z.string() })
  .meta({ id: 'Bilingual' });
export type Bilingual = z.infer<typeof bilingualSchema>;
