/**
 * A shuffle of a stream of unknown length: what is read waits in a buffer and leaves it in random
 * order.
 */

/** Mulberry32: a stream of numbers in [0, 1), the same for the same seed everywhere. */
function* randomNumbers(seed: number): Generator<number, never, undefined> {
  let state = seed >>> 0;
  for (;;) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    yield ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** Every item once; each leaves a buffer of `size` at random. */
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
