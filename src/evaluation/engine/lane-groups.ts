/** Lanes that are alive at the same time: all of a micro-batch, or groups of them. */
import { wholePart, type Part } from './strategies/strategy.js';

/** The part of a source that belongs to a group. */
export interface GroupPart {
  /** Place of the source. */
  source: number;
  part: Part;
}

/**
 * Divides the lanes of some sources (strategies, in their order) into groups of at most `most`.
 * Each source is measured in the first group that has it; one without lanes belongs to the first
 * group with room.
 */
export function laneGroups(lanes: readonly number[], most: number): GroupPart[][] {
  const groups: GroupPart[][] = [[]];
  let room = most;
  lanes.forEach((count, source) => {
    let from = 0;
    do {
      if (room === 0) {
        groups.push([]);
        room = most;
      }
      const taken = Math.min(room, count - from);
      const [first, end] = [from, from + taken];
      groups.at(-1)!.push({
        source,
        part:
          taken === count
            ? wholePart
            : { measures: first === 0, takes: (lane) => lane >= first && lane < end },
      });
      from = end;
      room -= taken;
    } while (from < count);
  });
  return groups;
}
