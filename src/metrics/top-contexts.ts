/**
 * The places at which each latent of an SAE is most active: the n largest values, the first place
 * first if values are equal. So the order in which places come does not matter, and those of
 * consecutive parts of a run merge in any grouping to the same.
 */
export class TopContexts {
  /** Values of each latent, the largest first: [m, n]. */
  readonly values: Float64Array;
  /** Their places: [m, n]; −1 if there are fewer. */
  readonly places: Float64Array;

  constructor(
    readonly m: number,
    readonly n: number,
    state?: { values: Float64Array; places: Float64Array },
  ) {
    this.values = state?.values ?? new Float64Array(m * n);
    this.places = state?.places ?? new Float64Array(m * n).fill(-1);
  }

  /** Adds a value of a latent, unless n others are before it. A value that is NaN is left out. */
  add(latent: number, value: number, place: number): void {
    if (Number.isNaN(value)) return;
    const { n, values, places } = this;
    const first = latent * n;
    let at = first + n;
    while (at > first) {
      const before = at - 1;
      const other = places[before]!;
      const isBefore =
        other >= 0 && !(value > values[before]! || (value === values[before]! && place < other));
      if (isBefore) break;
      if (at < first + n) {
        values[at] = values[before]!;
        places[at] = other;
      }
      at = before;
    }
    if (at === first + n) return;
    values[at] = value;
    places[at] = place;
  }

  /** Adds what `other` has of a latent. */
  merge(other: TopContexts, latent: number): void {
    const { n } = other;
    for (let at = latent * n; at < (latent + 1) * n; at++) {
      const place = other.places[at]!;
      if (place < 0) return;
      this.add(latent, other.values[at]!, place);
    }
  }
}
