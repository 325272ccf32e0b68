/** The time that a run still takes, by what it took so far. */

/** Something that was done, or is left to do. */
export interface Amount {
  /** Work of samples ({@link workOf}). */
  work: number;
  /** Blocks of the language model that are brought in, if its weights do not fit. */
  blocks: number;
}

export interface Spent extends Amount {
  /** Seconds in all. */
  seconds: number;
  /** Seconds of them that were spent on waiting for blocks. */
  waited: number;
}

/** Seconds that what is left takes at the pace of what was done; null if nothing was. */
export function timeLeft({ seconds, waited, ...done }: Spent, left: Amount): number | null {
  if (left.work === 0) return 0;
  if (done.work === 0) return null;
  const waiting = done.blocks === 0 ? 0 : (waited / done.blocks) * left.blocks;
  return ((seconds - waited) / done.work) * left.work + waiting;
}
