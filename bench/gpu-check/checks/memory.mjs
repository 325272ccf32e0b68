/** Memory that a run gives back, and a run that has too little. */
import { run } from '../../../dist/src/evaluation/run/run.js';
import { cuda, ops } from '../../../dist/src/torch/index.js';
import { expect } from '../checks.mjs';
import { fewSamples } from '../requests.mjs';

const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Largest relative difference of two runs' means. */
function difference(a, b) {
  let most = 0;
  a.results.forEach(({ strict }, i) => {
    for (const [field, value] of Object.entries(strict)) {
      const [x, y] = [value?.mean, b.results[i].strict[field]?.mean];
      if (typeof x !== 'number') continue;
      const relative = Math.abs(x - y) / Math.max(Math.abs(x), 1e-2);
      if (!(relative <= most)) most = relative;
    }
  });
  return most;
}

export const checks = (settings) => {
  const { device, simulated } = settings;
  const request = { ...fewSamples(settings) };
  request.batchSize = request.dataset.maxSamples;
  let unlimited;
  return [
    {
      name: 'memory is given back after a run',
      body: async () => {
        unlimited = await run(request);
        const { allocatedBytes, reservedBytes } = cuda.memory(device);
        // A workspace of cuBLAS stays: 32 MiB on Hopper.
        const kept = 2 ** 26;
        expect(allocatedBytes <= kept, `${mebibytes(allocatedBytes)} of tensors are left`);
        expect(reservedBytes <= 2 * kept, `${mebibytes(reservedBytes)} are kept`);
        const peak = mebibytes(unlimited.memory.devicePeakBytes);
        return `peak ${peak}, then ${mebibytes(reservedBytes)} kept`;
      },
    },
    {
      name: 'too little memory makes the micro-batch smaller',
      body: async () => {
        const room = (simulated ? 24 : 128) * 2 ** 20;
        let hog;
        const result = await run(request, {
          onLoaded: () => {
            cuda.emptyCache();
            const bytes = cuda.memory(device).freeBytes - room;
            hog = ops.empty([bytes], { device, dtype: 'uint8' });
          },
        }).finally(() => {
          hog?.dispose();
          cuda.emptyCache();
        });
        const [before, after] = [unlimited, result].map(({ config }) => config.microBatch);
        expect(
          JSON.stringify(before) !== JSON.stringify(after),
          `${mebibytes(room)} were enough for ${JSON.stringify(after)}`,
        );
        const warned = result.data.warnings.some(({ en }) => en.includes('ran out'));
        expect(warned, 'no warning says that memory ran out');
        const off = difference(unlimited, result);
        expect(off <= 1e-3, `the numbers changed by ${off}`);
        return `${JSON.stringify(after)} in place of ${JSON.stringify(before)}`;
      },
    },
    {
      name: 'the device works after memory ran out',
      body: async () => {
        const again = await run(request);
        expect(difference(unlimited, again) === 0, 'the numbers changed');
      },
    },
  ];
};
