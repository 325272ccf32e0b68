/** xorshift128 (Marsaglia, 2003, "Xorshift RNGs"), seeded: 32-bit whole numbers. */

/** The four words of a generator's state. */
export type GeneratorState = readonly [x: number, y: number, z: number, w: number];

/** State mixed from a seed, so that seeds next to each other begin apart. */
export function stateOf(seed: number): GeneratorState {
  let counter = seed >>> 0;
  const mix = (): number => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let z = counter;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) | 0;
  };
  return [mix(), mix(), mix() ^ Math.floor(seed / 2 ** 32), mix() | 1];
}

/** The words that follow a state, one at each call. */
export function randomWords(state: GeneratorState): () => number {
  let [x, y, z, w] = state;
  return () => {
    const t = x ^ (x << 11);
    x = y;
    y = z;
    z = w;
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
    return w >>> 0;
  };
}
