/** The positions that an SAE was trained on, as configurations say them. */
import { z } from 'zod';
import type { Exclusion } from '../description.js';

/** Whether special tokens are left out, or the ids of those that are. */
export const excludedTokens = z
  .union([z.boolean(), z.array(z.int().nonnegative()).max(100_000)])
  .nullish();

/** Python's arguments of `slice`: [to], [from, to] or [from, to, step]. */
export const keptSlice = z
  .array(z.int().nullable())
  .min(1)
  .max(3)
  .refine((kept) => kept.length < 3 || kept[2] === null || kept[2]! > 0, 'expected a step above 0')
  .nullish();

/** What a description says of them; nothing if every position counted. */
export function exclusionOf(
  tokens: z.infer<typeof excludedTokens>,
  slice: z.infer<typeof keptSlice> = null,
): { exclusion?: Exclusion } {
  // One argument is the end, as in Python.
  const kept = slice?.length === 1 ? [null, slice[0]!] : (slice ?? []);
  const exclusion: Exclusion = {
    specials: tokens === true,
    ids: Array.isArray(tokens) ? tokens : [],
    kept: kept.every((at) => at === null) ? null : kept,
  };
  const excludes = exclusion.specials || exclusion.ids.length > 0 || exclusion.kept !== null;
  return excludes ? { exclusion } : {};
}
