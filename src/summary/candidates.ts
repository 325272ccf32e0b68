/** SAEs that can be recommended, and which of them no other beats. */
import { placeKey } from '../findings/place.js';
import {
  against,
  haveSameL0,
  measuredIn,
  trained,
  type Measured,
  type SummaryContext,
} from './reading.js';

/** Candidates that are spliced at the same place and count the same positions. */
export interface Place {
  candidates: Measured[];
  /** One entry for each L0, ascending: the best, and those that cannot be told from it. */
  choices: Choice[];
}

export interface Choice {
  best: Measured;
  open: Measured[];
}

/** Trained SAEs that are no near-identities and not behind a baseline. */
function candidatesIn(context: SummaryContext): Measured[] {
  const measured = measuredIn(context);
  const baselines = measured.filter(({ isBaseline }) => isBaseline);
  return trained(measured).filter(
    (one) =>
      one.l0 !== null &&
      baselines.every((baseline) => against(context, one, baseline).order !== 'more'),
  );
}

/**
 * Whether another candidate beats this one: it has less KL by the interval and about as many active
 * latents or fewer, or it has fewer, and this one does not have less KL.
 */
function isBeaten(context: SummaryContext, one: Measured, others: readonly Measured[]): boolean {
  return others.some(
    (other) =>
      other !== one &&
      (haveSameL0(one, other)
        ? against(context, other, one).order === 'less'
        : other.l0! < one.l0! && against(context, one, other).order !== 'less'),
  );
}

/** Candidates by place, with those that no other candidate at the place beats. */
export function placesOf(context: SummaryContext): Place[] {
  const groups = new Map<string, Measured[]>();
  for (const one of candidatesIn(context)) {
    const key = placeKey(one.sae) + JSON.stringify(one.sae.positions?.exclude ?? []);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((candidates) => {
    let left = candidates
      .filter((one) => !isBeaten(context, one, candidates))
      .toSorted((a, b) => a.l0! - b.l0!);
    const choices: Choice[] = [];
    while (left.length > 0) {
      const alike = left.filter((one) => haveSameL0(one, left[0]!));
      left = left.filter((one) => !alike.includes(one));
      const best = alike.reduce((a, b) => (b.kl < a.kl ? b : a));
      choices.push({ best, open: alike.filter((one) => one !== best) });
    }
    return { candidates, choices };
  });
}
