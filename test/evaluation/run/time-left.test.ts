/** The time that is left, by the work of samples and the blocks that are brought in. */
import { describe, expect, it } from 'vitest';
import { ProgressReports } from '#src/evaluation/run/progress-reports.js';
import { sameWork, workOf } from '#src/evaluation/run/sample-work.js';
import { timeLeft } from '#src/evaluation/run/time-left.js';
import { shardSecondsOf } from '#src/evaluation/run/plan/sizes.js';
import { Accumulator } from '#src/metrics/accumulator.js';
import type { Progress } from '#src/schema/index.js';

const work = { spliced: 10, measured: 0.1 };

describe('work of samples', () => {
  it.each([
    [0, 10, 10],
    [0, 30, 12],
    [5, 15, 5.5],
    [10, 20, 1],
    [40, 60, 2],
  ])('from %i to %i is %f', (from, to, expected) => {
    expect(workOf(from, to, work)).toBeCloseTo(expected, 12);
    expect(workOf(from, to, sameWork)).toBe(to - from);
  });
});

describe('the time left', () => {
  it('is that of the work and that of the blocks, each at its own pace', () => {
    // 8 s for 4 of work, and 2 s for each of 6 blocks.
    const spent = { seconds: 20, waited: 12, work: 4, blocks: 6 };
    expect(timeLeft(spent, { work: 3, blocks: 5 })).toBe(3 * 2 + 5 * 2);
    expect(timeLeft({ ...spent, waited: 0, blocks: 0 }, { work: 3, blocks: 0 })).toBe(15);
  });

  it('is unknown before anything was done, and nothing at the end', () => {
    const none = { seconds: 5, waited: 5, work: 0, blocks: 3 };
    expect(timeLeft(none, { work: 3, blocks: 5 })).toBeNull();
    expect(timeLeft(none, { work: 0, blocks: 5 })).toBe(0);
  });
});

/** Progress of a run over 30 samples after some of them; a negative number ends a batch. */
function told(
  samples: readonly number[],
  more: Partial<ConstructorParameters<typeof ProgressReports>[0]> = {},
): Progress[] {
  const all: Progress[] = [];
  const accumulator = new Accumulator();
  const reports = new ProgressReports({
    accumulator,
    stream: {
      total: 30,
      summary: { truncatedTokens: 0, skipped: [] },
    } as unknown as ConstructorParameters<typeof ProgressReports>[0]['stream'],
    interval: 0,
    secondsBefore: 100,
    onProgress: (progress) => all.push(progress),
    ...more,
  });
  for (const done of samples) {
    const until = performance.now() + 5;
    while (performance.now() < until);
    if (done >= 0) reports.within(done - accumulator.sequences);
    else {
      accumulator.endBatch(-done - accumulator.sequences);
      reports.tell();
    }
  }
  return all;
}
/** Seconds since the beginning, as a report tells them. */
const secondsOf = ({ samples, samplesPerSecond }: Progress): number => samples / samplesPerSecond;

describe('progress', () => {
  it('counts on samples that are only measured to take less', () => {
    const [inSplices, atBorder, beyond] = told([5, -10, 20], { work }) as [
      Progress,
      Progress,
      Progress,
    ];
    // 5 of 12 are done, then 10.
    expect(inSplices.secondsLeft).toBeCloseTo((secondsOf(inSplices) / 5) * 7, 9);
    expect(atBorder.secondsLeft).toBeCloseTo((secondsOf(atBorder) / 10) * 2, 9);
    // Ten took the time since the border, and ten are left.
    const sinceBorder = secondsOf(beyond) - secondsOf(atBorder);
    expect(beyond.secondsLeft).toBeCloseTo(sinceBorder, 9);
  });

  it('counts blocks that are brought in', () => {
    let soFar = { blocks: 0, waited: 0 };
    const brought = { soFar: () => soFar, forFirst: (samples: number) => 2 * samples };
    soFar = { blocks: 24, waited: 0.003 };
    const [report] = told([12], { brought });
    const computing = secondsOf(report!) - 0.003;
    const expected = (computing / 12) * 18 + (0.003 / 24) * 36;
    expect(report!.secondsLeft).toBeCloseTo(expected, 9);
  });

  it('counts on texts to stay as short as they were', () => {
    let blocks = 0;
    const brought = {
      soFar: () => ({ blocks, waited: blocks / 1000 }),
      forFirst: (samples: number) => 2 * samples,
    };
    // 10 blocks of 20 that were planned at most; 0.001 s for each of 30 less 10.
    blocks = 10;
    const [ended] = told([-10], { brought });
    const computing = secondsOf(ended!) - 0.01;
    expect(ended!.secondsLeft).toBeCloseTo(2 * computing + 0.02, 9);
  });

  it('tells nothing before a sample is done, and never fewer than before', () => {
    const [none, some, fewer, all] = told([0, 8, 4, 30]);
    expect(none).toMatchObject({ samples: 0, secondsLeft: null });
    expect([some!.samples, fewer!.samples]).toEqual([8, 8]);
    expect(all).toMatchObject({ samples: 30, secondsLeft: 0 });
  });
});

describe('the time of a shard that is explained', () => {
  const of = { flops: { spliced: 100, measured: 10 }, rate: 1000, seqLen: 4, reading: null };
  it('is that of computing, of samples that are spliced and of others', () => {
    expect(shardSecondsOf({ samples: 30, spliced: 10 }, of)).toBeCloseTo(4 + 0.8, 12);
  });

  it('is that of reading weights, if this takes longer', () => {
    // 50 bytes for a spliced sample and 7 for another, at 100 a second.
    const bytesFor = (samples: number, spliced: number): number =>
      50 * Math.min(samples, spliced) + 7 * Math.max(0, samples - spliced);
    const reading = { bytesPerSecond: 100, bytesFor };
    expect(shardSecondsOf({ samples: 30, spliced: 10 }, { ...of, reading })).toBeCloseTo(6.4, 12);
    const fast = { bytesPerSecond: 1e6, bytesFor };
    expect(shardSecondsOf({ samples: 30, spliced: 10 }, { ...of, reading: fast })).toBe(4.8);
  });
});
