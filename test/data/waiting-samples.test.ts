/** Samples that wait for their batch come out as they went in, however they are taken. */
import { describe, expect, it } from 'vitest';
import { WaitingSamples } from '#src/data/waiting-samples.js';
import type { Sample } from '#src/data/index.js';
import { seededRandom } from '../cluster/random.js';

const sample = (length: number): Sample => ({ ids: new Int32Array(0), length, truncated: 0 });

describe('samples that wait', () => {
  it('come out in order, as many as are asked for or are there', () => {
    const random = seededRandom(5);
    const waiting = new WaitingSamples();
    const expected: Sample[] = [];
    let made = 0;
    for (let step = 0; step < 2000; step += 1) {
      for (let more = Math.floor(random() * 6); more > 0; more -= 1) {
        const one = sample((made += 1));
        waiting.add(one);
        expected.push(one);
      }
      const count = Math.floor(random() * 7);
      expect(waiting.take(count)).toEqual(expected.splice(0, count));
      expect(waiting).toHaveLength(expected.length);
    }
  });

  // Moving the rest at each batch takes minutes.
  it('come out of a record of a whole library one by one, without moving the rest', () => {
    const waiting = new WaitingSamples();
    const count = 600_000;
    const one = sample(1);
    for (let n = 0; n < count; n += 1) waiting.add(one);
    let taken = 0;
    while (waiting.length > 0) taken += waiting.take(2).length;
    expect(taken).toBe(count);
  });
});
