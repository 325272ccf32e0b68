/** The frontier of points for which less is better on both axes. Runs in browsers too. */

/**
 * Points that no other point beats: none has both coordinates at most as large, and one smaller.
 * They come in the order of x.
 */
export function paretoOf<P extends { readonly x: number; readonly y: number }>(
  points: readonly P[],
): P[] {
  const sorted = points.toSorted((a, b) => a.x - b.x || a.y - b.y);
  const frontier: P[] = [];
  for (const point of sorted)
    if (frontier.length === 0 || point.y < frontier.at(-1)!.y) frontier.push(point);
  return frontier;
}
