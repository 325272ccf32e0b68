/**
 * Sets of positions: which tokens of a sequence an SAE is measured and spliced at under `strict`.
 * An exclusion says it before the tokenizer is known, a set afterwards.
 */
import { allPositions } from '../metrics/keys.js';
import type { Exclusion } from '../sae/description.js';

export interface PositionSet {
  /** Equal for equal sets; `all` if every real position counts. */
  readonly key: string;
  /** Ids whose positions do not count. */
  readonly excludedIds: ReadonlySet<number>;
  /** Python's slice (from, to, step) of the positions that stay; null keeps all. */
  readonly kept: readonly (number | null)[] | null;
  /** Whether positions are out whose role in a conversation does not count; default false. */
  readonly byRole?: boolean;
}

export const everyPosition: PositionSet = {
  key: allPositions,
  excludedIds: new Set(),
  kept: null,
};

/**
 * The set that an exclusion leaves, given the ids that tokenizer and model call special, and the
 * roles that count if a request says some.
 */
export function positionSet(
  { specials, ids, kept }: Exclusion,
  specialIds: ReadonlySet<number>,
  { roles = [] }: { roles?: readonly string[] } = {},
): PositionSet {
  const excluded = [...new Set([...ids, ...(specials ? specialIds : [])])].sort((a, b) => a - b);
  const slice = kept === null || keepsAll(kept) ? null : kept;
  const byRole = roles.length > 0;
  if (excluded.length === 0 && slice === null && !byRole) return everyPosition;
  return {
    key: JSON.stringify([excluded, slice, ...(byRole ? [[...roles].sort()] : [])]),
    excludedIds: new Set(excluded),
    kept: slice,
    byRole,
  };
}

const keepsAll = ([from = null, to = null, step = null]: readonly (number | null)[]): boolean =>
  (from ?? 0) === 0 && to === null && (step ?? 1) === 1;

/** 1 for each of `length` positions that the set's slice keeps; null if it keeps all. */
export function keptPositions({ kept }: PositionSet, length: number): Uint8Array | null {
  if (kept === null) return null;
  const [from = null, to = null, step = null] = kept;
  const at = (value: number): number =>
    value < 0 ? Math.max(value + length, 0) : Math.min(value, length);
  const flags = new Uint8Array(length);
  const end = to === null ? length : at(to);
  for (let t = from === null ? 0 : at(from); t < end; t += step ?? 1) flags[t] = 1;
  return flags;
}
