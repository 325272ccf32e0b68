/** Percentiles of resampled values, by selection: sorting them takes ten times as long. */

/**
 * Brings the value that sorting would put at `wanted` there, smaller ones before it and larger ones
 * after it, within `from … to` (Hoare 1961, "Algorithm 65: Find"). No value may be NaN.
 */
function select(values: Float64Array, wanted: number, from: number, to: number): number {
  while (from < to) {
    const pivot = middleOf(values[from]!, values[(from + to) >> 1]!, values[to]!);
    let left = from;
    let right = to;
    while (left <= right) {
      while (values[left]! < pivot) left++;
      while (values[right]! > pivot) right--;
      if (left > right) break;
      const swapped = values[left]!;
      values[left++] = values[right]!;
      values[right--] = swapped;
    }
    if (wanted <= right) to = right;
    else if (wanted >= left) from = left;
    else break;
  }
  return values[wanted]!;
}

function middleOf(a: number, b: number, c: number): number {
  if (a < b) return b < c ? b : Math.max(a, c);
  return a < c ? a : Math.max(b, c);
}

/** The 2.5 and 97.5 percentiles, interpolated linearly. */
export function percentileInterval(values: Float64Array): [number, number] {
  const last = values.length - 1;
  const own = values.slice();
  // NaN has no place in an order; sorting puts it last.
  const isSorted = own.some(Number.isNaN);
  if (isSorted) own.sort();
  const pick = (wanted: number, first: number): number =>
    isSorted ? own[wanted]! : select(own, wanted, first, last);
  let from = 0;
  const at = (q: number): number => {
    const position = q * last;
    const below = Math.floor(position);
    const above = Math.min(below + 1, last);
    const low = pick(below, from);
    const high = pick(above, below);
    from = below;
    return low + (high - low) * (position - below);
  };
  return [at(0.025), at(0.975)];
}
