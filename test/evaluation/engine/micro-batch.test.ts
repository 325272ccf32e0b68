/** The size of micro-batches: it follows the widths and the memory, not the batch size. */
import { describe, expect, it } from 'vitest';
import {
  chooseMicroBatch,
  constantsOf,
  smallerMicroBatch,
  workingSetFor,
  type MicroBatch,
} from '#src/evaluation/engine/micro-batch.js';

const gigabyte = 2 ** 30;
/** Eight SAEs on a model of Llama-3.2-1B's shape. */
const large = {
  seqLen: 512,
  batchSize: 64,
  width: 2048,
  latents: 16_384,
  kept: 10,
  lanes: 15,
  bytes: { model: 2, sae: 4 },
};

describe('the working set', () => {
  it('is a gigabyte where there is room, a quarter of what is free where there is not', () => {
    expect(
      [null, 100 * gigabyte, 4 * gigabyte, 3.9 * gigabyte, 2 * gigabyte, 1000, 0].map((free) =>
        workingSetFor(free),
      ),
    ).toEqual([gigabyte, gigabyte, gigabyte, gigabyte / 2, gigabyte / 2, 2 ** 26, 2 ** 26]);
  });

  it('bounds the tokens of a micro-batch, which the batch size does not', () => {
    expect(chooseMicroBatch(large)).toMatchObject({ sequences: 2, lanesPerCall: 4 });
    expect(chooseMicroBatch({ ...large, batchSize: 1024 })).toEqual(chooseMicroBatch(large));
    expect(chooseMicroBatch({ ...large, budget: workingSetFor(gigabyte) })).toMatchObject({
      sequences: 1,
      lanesPerCall: 8,
    });
  });
});

describe('lanes', () => {
  it('are all alive together where there is room for one sequence of each', () => {
    expect(chooseMicroBatch(large).lanes).toBeUndefined();
    const many = chooseMicroBatch({ ...large, lanes: 2000 });
    expect(many.sequences).toBe(1);
    // A lane of 512 positions is 4 MiB before and after a block.
    expect(many.lanes).toBeLessThan(2000);
    expect(many.lanes! * 512 * 2 * 2048 * 2).toBeLessThan(gigabyte);
    expect(chooseMicroBatch({ ...large, lanes: 4000 }).lanes).toBe(many.lanes);
  });
});

describe('a GPU', () => {
  const constants = constantsOf('cuda:0');

  it('takes a quarter of the free memory, however little or much that is', () => {
    expect(workingSetFor(40e6, constants)).toBe(2 ** 23);
    expect(workingSetFor(80 * gigabyte, constants)).toBe(16 * gigabyte);
  });

  it('sends all lanes through a block in one call', () => {
    const { sequences, lanesPerCall, logits } = chooseMicroBatch({
      ...large,
      constants,
      budget: workingSetFor(70 * gigabyte, constants),
    });
    expect(sequences).toBeGreaterThan(2);
    expect(lanesPerCall).toBeGreaterThanOrEqual(large.lanes);
    // Tens of thousands of tokens of the vocabulary for every row.
    expect(logits / (lanesPerCall * sequences * large.seqLen)).toBeGreaterThan(4096);
  });
});

describe('after memory ran out', () => {
  it('the sequences halve, then the lanes, then the logits, and then nothing is left', () => {
    const options = { lanes: 6, seqLen: 10 };
    const steps: MicroBatch[] = [];
    let next: MicroBatch | null = { sequences: 4, lanesPerCall: 8, logits: 3200 };
    while ((next = smallerMicroBatch(next, options)) !== null) steps.push(next);
    expect(steps).toEqual([
      { sequences: 2, lanesPerCall: 8, logits: 1600 },
      { sequences: 1, lanesPerCall: 8, logits: 800 },
      { sequences: 1, lanesPerCall: 3, logits: 400, lanes: 3 },
      { sequences: 1, lanesPerCall: 1, logits: 133, lanes: 1 },
      { sequences: 1, lanesPerCall: 1, logits: 33, lanes: 1 },
      { sequences: 1, lanesPerCall: 1, logits: 10, lanes: 1 },
    ]);
  });
});
