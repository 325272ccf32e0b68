/** Random numbers that a seed gives, so that a failed round can be repeated. */

/** Numbers in [0, 1). `SAE_EVAL_SEED` in the environment replaces the seed. */
export function seededRandom(seed: number): () => number {
  let state = Number(process.env['SAE_EVAL_SEED'] ?? seed) | 0;
  // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
