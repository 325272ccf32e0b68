/** Schema of a text in English and Chinese. */
import { z } from 'zod';

export const bilingualSchema = z
  .object({ en: z.string(), zh: z.string() })
  .meta({ id: 'Bilingual' });
