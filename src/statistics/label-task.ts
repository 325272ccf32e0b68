/**
 * The tasks that labels make: for each label its documents against as many of the others, divided
 * into folds. Everything follows from the order of the documents, so that it can be done again
 * elsewhere: no random number is drawn.
 */

/** One label against the others. */
export interface LabelTask {
  label: number;
  /** Its documents, and the others that stand against them. */
  rows: readonly number[];
  /** Whether each of `rows` has the label. */
  positive: readonly boolean[];
}

/** `count` of some places, spread evenly over them: place ⌊i · n / count⌋ for each i. */
export function spread<T>(all: readonly T[], count: number): T[] {
  const kept = Math.min(count, all.length);
  return Array.from({ length: kept }, (_, i) => all[Math.floor((i * all.length) / kept)]!);
}

/** The rows of each label, in order. */
export function rowsByLabel(labels: readonly number[], count: number): number[][] {
  const rows = Array.from({ length: count }, (): number[] => []);
  labels.forEach((label, row) => rows[label]!.push(row));
  return rows;
}

/** Fold of each document: the documents of a label go to the folds in turn. */
export function foldsOf(labels: readonly number[], count: number, folds: number): Int32Array {
  const next = new Int32Array(count);
  return Int32Array.from(labels, (label) => next[label]!++ % folds);
}

/**
 * The task of a label: its n documents, and n of the others, of each other label ⌈n / others⌉,
 * spread evenly; where the others have fewer in all, as many of its own.
 */
export function taskOf(rows: readonly (readonly number[])[], label: number): LabelTask {
  const own = rows[label]!;
  const others = rows.filter((_, other) => other !== label);
  const each = Math.ceil(own.length / others.length);
  const against = spread(
    others.flatMap((some) => spread(some, each)),
    own.length,
  );
  const kept = spread(own, against.length);
  return {
    label,
    rows: [...kept, ...against],
    positive: [...kept.map(() => true), ...against.map(() => false)],
  };
}

/** The part of a task in one fold, or in all the others. */
export function partOf(
  { rows, positive }: LabelTask,
  isIn: (row: number) => boolean,
): { rows: number[]; positive: boolean[] } {
  const at = [...rows.keys()].filter((n) => isIn(rows[n]!));
  return { rows: at.map((n) => rows[n]!), positive: at.map((n) => positive[n]!) };
}
