/**
 * Shuffles a stream of unknown length: items wait in a buffer and leave it in random order, which
 * the seed decides.
 */

/** Numbers in [0, 1) by Mulberry32, the same for a seed on every machine. */
function* randomNumbers(seed: number): Generator<number, never, undefined> {
  let state = seed >>> 0;
  for (;;) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    yield ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** Every item once, in the order in which a buffer of `size` items releases them. */
export async function* shuffled<T>(
  items: AsyncIterable<T>,
  { seed, size = 10_000 }: { seed: number; size?: number },
): AsyncGenerator<T, void, undefined> {
  const random = randomNumbers(seed);
  const draw = (): number => Math.floor(random.next().value * buffer.length);
  const buffer: T[] = [];
  for await (const item of items) {
    if (buffer.length < size) {
      buffer.push(item);
      continue;
    }
    const index = draw();
    yield buffer[index]!;
    buffer[index] = item;
  }
  while (buffer.length > 0) {
    const index = draw();
    yield buffer[index]!;
    buffer[index] = buffer.at(-1)!;
    buffer.pop();
  }
}
