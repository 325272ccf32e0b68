/** Positions in a result: which counted, and the part that special tokens have. */
import type { Accumulator } from '../../metrics/accumulator.js';
import { active } from '../../metrics/columns.js';
import { squaredError } from '../../metrics/explained-variance.js';
import { allPositions, cleanKey, slotKey, specialsKey } from '../../metrics/keys.js';
import type { Column } from '../../metrics/metric.js';
import type { Exclusion } from '../../sae/description.js';
import type { ChatRole, Exclude, SaeResult } from '../../schema/index.js';
import type { ChosenExclusion } from '../request/exclusion.js';
import type { Subject } from './assemble.js';

/** The rules of an exclusion, as a request writes them. */
function rulesOf({ specials, ids, kept }: Exclusion): Exclude[] {
  return [
    ...(specials ? (['specials'] as const) : []),
    ...(ids.length === 0 ? [] : [[...ids]]),
    ...(kept === null ? [] : [{ positions: [kept[0] ?? null, kept[1] ?? null] as const }]),
  ] as Exclude[];
}

const total = (values: Float64Array | null): number =>
  values?.reduce((sum, value) => sum + value, 0) ?? 0;

export function positionsOf(
  {
    exclusion,
    from,
    roles,
  }: Pick<ChosenExclusion, 'exclusion' | 'from'> & { roles?: readonly ChatRole[] | undefined },
  accumulator: Accumulator,
  key: string,
): NonNullable<SaeResult['positions']> {
  const count = (set?: string): number =>
    total(accumulator.column(cleanKey('strict', 'positions', set)));
  return {
    exclude: rulesOf(exclusion),
    from,
    ...(roles === undefined ? {} : { roles: [...roles] }),
    counted: count(key),
    real: count(),
  };
}

/** Shares of special tokens; null if some positions are left out, or there is no special token. */
export function specialShares(
  accumulator: Accumulator,
  { owner, slots, positions }: Subject,
): NonNullable<SaeResult['specials']> | null {
  const tokens = total(accumulator.column(cleanKey('strict', 'positions')));
  const specials = total(accumulator.column(cleanKey('strict', 'specials')));
  if (positions !== allPositions || specials === 0) return null;
  const share = ({ name }: Column): number | null => {
    let all = 0;
    let special = 0;
    slots.strict.forEach((_, slot) => {
      const target = { owner, protocol: 'strict', slot } as const;
      all += total(accumulator.column(slotKey(target, name)));
      special += total(accumulator.column(specialsKey(target, name)));
    });
    return all > 0 ? special / all : null;
  };
  return {
    tokens: specials / tokens,
    squaredError: share(squaredError),
    activeLatents: share(active),
  };
}
