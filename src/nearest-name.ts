/** The name that was probably meant by one that does not exist. */

/** Letters and digits alone, so that batch_size is batchSize. */
const plain = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');

/**
 * Number of letters to insert, delete, replace or swap with their neighbor to make one word of
 * another: the distance of Damerau and Levenshtein, in its restricted form.
 */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + changed);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, before[j - 2]! + 1);
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}

/** Longest name that is compared; longer ones come from no keyboard. */
const longest = 100;
/** Part of a word's letters that a slip may change. */
const mostChanged = 0.4;
/** Letters from which a beginning stands for the whole word. */
const shortestBeginning = 3;

/** Difference between 0 (the same letters) and 1; null if one cannot be meant by the other. */
function difference(typed: string, name: string): number | null {
  const [a, b] = [plain(typed), plain(name)];
  if (a === b) return 0;
  if (a.length >= shortestBeginning && b.startsWith(a)) return 1 - a.length / b.length;
  const changed = distance(a, b) / Math.max(a.length, b.length);
  return changed <= mostChanged ? changed : null;
}

/** The name of a list that was probably meant; null if none is near. */
export function nearestName(typed: string, names: Iterable<string>): string | null {
  if (typed.length > longest || plain(typed) === '') return null;
  let nearest: { name: string; by: number } | null = null;
  for (const name of names) {
    if (name.length > longest) continue;
    const by = difference(typed, name);
    if (by !== null && (nearest === null || by < nearest.by)) nearest = { name, by };
  }
  return nearest?.name ?? null;
}

/** `; did you mean X?`, or an empty text if no name is near. */
export function didYouMean(typed: string, names: Iterable<string>): string {
  const name = nearestName(typed, names);
  return name === null ? '' : `; did you mean ${name}?`;
}
