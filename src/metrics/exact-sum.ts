/**
 * Sums of vectors without rounding (Shewchuk 1997, "Adaptive Precision Floating-Point Arithmetic",
 * GROW-EXPANSION). Each element is held as a few float64 numbers of increasing magnitude that do
 * not overlap and add up to its sum exactly. So the order and the grouping of what is added do not
 * matter: the sum is rounded once, when it is read. Only sums that leave float64's range are not
 * exact: they are infinite.
 */
export class ExactSum {
  /** Plane 0 holds the smallest parts. A typical sum has two or three planes. */
  readonly #planes: Float64Array[];
  /** Elements that are infinite or NaN; 0 elsewhere. Null if there is none. */
  #beyond: Float64Array | null = null;

  constructor(readonly length: number) {
    this.#planes = [new Float64Array(length)];
  }

  /** @throws RangeError if the lengths differ. */
  add(values: Float64Array): void {
    if (values.length !== this.length)
      throw new RangeError(`expected ${this.length} values, found ${values.length}`);
    for (let i = 0; i < values.length; i++) if (values[i] !== 0) this.addAt(i, values[i]!);
  }

  /** Adds all that was added to `other`. */
  merge(other: ExactSum): void {
    for (const part of other.parts()) this.add(part);
  }

  /** Adds to one element. */
  addAt(index: number, value: number): void {
    const planes = this.#planes;
    let sum = value;
    let kept = 0;
    if (Number.isFinite(value))
      for (let plane = 0; plane < planes.length; plane++) {
        const part = planes[plane]![index]!;
        if (part === 0) break; // The parts of an element stand in the first planes.
        const next = sum + part;
        const back = next - sum;
        const error = sum - (next - back) + (part - back);
        if (error !== 0) planes[kept++]![index] = error;
        sum = next;
        if (!Number.isFinite(next)) break;
      }
    if (!Number.isFinite(sum)) {
      this.#beyond ??= new Float64Array(this.length);
      this.#beyond[index]! += sum;
      kept = 0;
    } else if (sum !== 0) {
      if (kept === planes.length) planes.push(new Float64Array(this.length));
      planes[kept++]![index] = sum;
    }
    for (let plane = kept; plane < planes.length; plane++) planes[plane]![index] = 0;
  }

  /** The sums, each rounded to the nearest float64 (halves to even). */
  values(): Float64Array {
    return Float64Array.from({ length: this.length }, (_, index) => this.#roundedAt(index));
  }

  #roundedAt(index: number): number {
    const beyond = this.#beyond?.[index] ?? 0;
    if (beyond !== 0) return beyond;
    const planes = this.#planes;
    let plane = planes.length;
    while (plane > 0 && planes[plane - 1]![index] === 0) plane--;
    if (plane === 0) return 0;
    let high = planes[--plane]![index]!;
    let low = 0;
    while (plane > 0 && low === 0) {
      const part = planes[--plane]![index]!;
      const next = high + part;
      low = part - (next - high);
      high = next;
    }
    // A half is rounded to even above; the parts below may say that it was no half.
    if (plane > 0 && low !== 0 && Math.sign(low) === Math.sign(planes[plane - 1]![index]!)) {
      const twice = 2 * low;
      const next = high + twice;
      if (next - high === twice) high = next;
    }
    return high;
  }

  /** Vectors that add up to the sum exactly, to be stored. */
  parts(): Float64Array[] {
    const beyond = this.#beyond;
    if (beyond === null) return this.#planes;
    const [first, ...rest] = this.#planes;
    return [first!.map((part, index) => (beyond[index] === 0 ? part : beyond[index]!)), ...rest];
  }
}
