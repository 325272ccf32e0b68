/** Values that several fields of a request have. */
import { z } from 'zod';

/** Text without NUL, which file systems and databases take for its end. */
export const text = z
  .string()
  .refine((value) => !value.includes('\0'), 'must not contain a NUL character');
export const path = text.min(1).max(4096);
/** Text that says what a run is; it changes no number. */
export const annotation = text;
export const positiveInt = z.number().int().min(1);
export const oneOrMany = <T extends z.ZodType>(item: T) =>
  z.union([item, z.array(item).min(1).max(64)]);
