/**
 * The bins of a latent's activations: one for each power of two from 2⁻⁸ to 2¹². The lowest takes
 * smaller magnitudes too, the highest larger ones.
 */
const lowest = -8;
const highest = 12;

/** Number of bins. */
export const activationBins = highest - lowest;

/** Edges of the bins, one more than there are bins. */
export const activationEdges: readonly number[] = Array.from(
  { length: activationBins + 1 },
  (_, edge) => 2 ** (lowest + edge),
);

const bits = new DataView(new ArrayBuffer(8));

/** The bin of a value, by its magnitude. */
export function activationBin(value: number): number {
  bits.setFloat64(0, value);
  // The exponent is exact, which a logarithm is not at the edges.
  const exponent = ((bits.getUint16(0) >> 4) & 0x7ff) - 1023;
  return Math.min(Math.max(exponent - lowest, 0), activationBins - 1);
}
