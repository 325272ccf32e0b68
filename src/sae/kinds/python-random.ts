/**
 * Python's `random.seed(seed); random.randint(low, high)`, so that RandomK draws the layer that the
 * scripts draw. Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998), seeded by array as
 * CPython seeds an integer.
 */
const size = 624;
const shift = 397;

class MersenneTwister {
  readonly #state = new Uint32Array(size);
  #next = size;

  constructor(key: readonly number[]) {
    const state = this.#state;
    state[0] = 19650218;
    for (let i = 1; i < size; i++)
      state[i] = Math.imul(1812433253, state[i - 1]! ^ (state[i - 1]! >>> 30)) + i;
    let i = 1;
    let j = 0;
    for (let n = Math.max(size, key.length); n > 0; n--) {
      state[i] =
        (state[i]! ^ Math.imul(state[i - 1]! ^ (state[i - 1]! >>> 30), 1664525)) + key[j]! + j;
      if (++i >= size) {
        state[0] = state[size - 1]!;
        i = 1;
      }
      if (++j >= key.length) j = 0;
    }
    for (let n = size - 1; n > 0; n--) {
      state[i] = (state[i]! ^ Math.imul(state[i - 1]! ^ (state[i - 1]! >>> 30), 1566083941)) - i;
      if (++i >= size) {
        state[0] = state[size - 1]!;
        i = 1;
      }
    }
    state[0] = 0x80000000;
  }

  uint32(): number {
    if (this.#next >= size) this.#twist();
    let y = this.#state[this.#next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  #twist(): void {
    const state = this.#state;
    for (let i = 0; i < size; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % size]! & 0x7fffffff);
      state[i] = state[(i + shift) % size]! ^ (y >>> 1) ^ ((y & 1) === 0 ? 0 : 0x9908b0df);
    }
    this.#next = 0;
  }
}

/**
 * A whole number from `low` to `high`, both included, as CPython draws it first after seeding.
 * @param seed whole number; its sign is ignored, as Python ignores it.
 */
export function pythonRandint({
  seed,
  low,
  high,
}: {
  seed: number;
  low: number;
  high: number;
}): number {
  const words: number[] = [];
  for (let rest = BigInt(Math.abs(seed)); rest > 0n || words.length === 0; rest >>= 32n)
    words.push(Number(rest & 0xffffffffn));
  const generator = new MersenneTwister(words);
  const count = high - low + 1;
  const bits = 32 - Math.clz32(count);
  for (;;) {
    const drawn = generator.uint32() >>> (32 - bits);
    if (drawn < count) return low + drawn;
  }
}
