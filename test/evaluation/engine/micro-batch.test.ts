/** The size of micro-batches: it follows the widths and the memory, not the batch size. */
import { describe, expect, it } from 'vitest';
import { chooseMicroBatch, workingSetFor } from '#src/evaluation/engine/micro-batch.js';

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
      [null, 100 * gigabyte, 4 * gigabyte, 3.9 * gigabyte, 2 * gigabyte, 1000, 0].map(
        workingSetFor,
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
