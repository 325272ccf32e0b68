/**
 * The routed layers S…E of the RouteSAE family: floor(L/4) to floor(3L/4), both included; from
 * layer 0 where L < 4.
 */
export function routedRange(L: number): { first: number; last: number; layers: number[] } {
  const first = Math.floor(L / 4);
  const last = Math.floor((3 * L) / 4);
  return { first, last, layers: Array.from({ length: last - first + 1 }, (_, j) => first + j) };
}
